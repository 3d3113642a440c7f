"""What a payment provider does for us: the one interface of cards and bank transfers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID


class ProviderSilent(Exception):
    """The provider gave no answer that says what became of it: it may have happened. `reason` tells why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Charge:
    """Money to be taken. The payment's id makes it happen once, however often it is asked for."""

    tenant_id: UUID
    payment_id: UUID
    amount: Decimal
    currency: str
    create_time: datetime
    customer_id: str
    """How the provider calls who pays, and the saved method."""
    method_id: str
    automatic: bool
    """Whether who pays is not there to confirm it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a charge, as the provider says now."""

    state: int
    """A wrtn.billing.v1.Payment.State."""
    provider_payment_id: str | None = None
    failure: str = ""
    client_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Return:
    """Money to be given back. The refund's id makes it happen once."""

    tenant_id: UUID
    refund_id: UUID
    provider_payment_id: str
    amount: Decimal
    currency: str
    create_time: datetime
    provider_refund_id: str | None = None
    """How the provider calls it, once that is known: then it is only asked what became of it."""


@dataclass(frozen=True, slots=True)
class Returned:
    """What became of it, as the provider says now."""

    state: int
    """A wrtn.billing.v1.Refund.State."""
    provider_refund_id: str | None = None


@dataclass(frozen=True, slots=True)
class Contest:
    """How a dispute stands, as the provider says now."""

    tenant_id: UUID
    payment_id: UUID
    dispute_id: str
    """How the provider calls it."""
    state: int
    """The wrtn.billing.v1.Payment.State of the payment by it: disputed, succeeded again, or lost."""
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Found:
    """A refund that the provider has, whoever began it."""

    returned: Returned
    amount: Decimal
    refund_id: UUID | None
    """As we call it; None if nobody began it here."""


class PaymentProvider(Protocol):
    """Takes money and gives it back. Each method raises ProviderSilent if what became of it is unknown."""

    name: str
    """As the ledger calls it: "cash:<name>" is what it holds for us."""

    async def charge(self, charge: Charge) -> Outcome:
        """Takes the money, or answers what became of an earlier try; the same charge has one effect."""

    async def outcome(self, provider_payment_id: str) -> Outcome:
        """Answers what became of a charge that the provider has."""

    async def cancel(self, provider_payment_id: str) -> Outcome:
        """Gives up what who pays has not confirmed; answers what became of it."""

    async def give_back(self, wanted: Return) -> Returned:
        """Gives money back, or answers what became of an earlier try; the same return has one effect."""

    async def returns(self, provider_payment_id: str, currency: str) -> Sequence[Found]:
        """Answers all refunds of a charge."""
