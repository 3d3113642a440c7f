"""Bank transfers: money that comes by itself, and is booked and given back by hand."""

from __future__ import annotations

from collections.abc import Sequence

from services.billing.errors import TransferNotCollectable
from services.billing.payments.providers import Charge, Found, Outcome, Return, Returned
from wrtn.billing.v1 import payments_pb2 as pb


class BankTransfers:
    """The PaymentProvider behind which people are, who have done already what it is asked for."""

    name = "bank_transfer"

    async def charge(self, charge: Charge) -> Outcome:
        """Raises TransferNotCollectable: nobody can take money out of another's bank account."""
        raise TransferNotCollectable("A bank transfer is booked once it has come; it cannot be collected.")

    async def outcome(self, provider_payment_id: str) -> Outcome:
        """Answers that it has come: nobody books it before."""
        return Outcome(pb.Payment.STATE_SUCCEEDED, provider_payment_id)

    async def cancel(self, provider_payment_id: str) -> Outcome:
        """Answers that it has come."""
        return await self.outcome(provider_payment_id)

    async def give_back(self, wanted: Return) -> Returned:
        """Answers that it was given back: who books it has made the transfer."""
        return Returned(pb.Refund.STATE_SUCCEEDED)

    async def returns(self, provider_payment_id: str, currency: str) -> Sequence[Found]:
        """Answers none: what was given back is told by who did it."""
        return ()
