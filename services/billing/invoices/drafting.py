"""What an invoice says: its lines and sums, as they follow from usage, subscription and credits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from chassis.crypto import Keyring
from chassis.database import Snapshot
from services.billing.invoices import invoice_settings
from services.billing.ledger.money import rounded
from services.billing.models import Subscription, SubscriptionPhase
from services.billing.plans.fees import Fee, Stretch, fees
from services.billing.spending.admission import ZERO
from services.billing.spending.budgets import line_of
from services.billing.store.billed import Billed, Closings, UsageSum
from services.billing.store.customers import Customer
from services.billing.store.plans import Plans
from services.billing.store.subscriptions import Subscriptions
from wrtn.billing.v1.invoice_settings_pb2 import InvoiceSettings
from wrtn.billing.v1.invoices_pb2 import InvoiceLine
from wrtn.billing.v1.plans_pb2 import PlanTerms
from wrtn.billing.v1.subscriptions_pb2 import Subscription as Wire


class Line(NamedTuple):
    """One line, exact and rounded."""

    kind: InvoiceLine.Kind.ValueType
    exact_amount: Decimal
    amount: Decimal
    description: str = ""
    team_id: UUID | None = None
    model: str = ""
    cost_centre: str = ""
    quantity: int = 1


class Drawn(NamedTuple):
    """All that an invoice says."""

    currency: str
    lines: Sequence[Line]
    tax_rate: Decimal
    buyer: InvoiceSettings

    @property
    def subtotal(self) -> Decimal:
        """The sum of the lines."""
        return sum((line.amount for line in self.lines), rounded(ZERO, self.currency))

    @property
    def tax(self) -> Decimal:
        """The tax on the subtotal."""
        return rounded(self.subtotal * self.tax_rate / 100, self.currency)

    def exact(self, *kinds: InvoiceLine.Kind.ValueType) -> Decimal:
        """Answers the exact sum of lines of these kinds."""
        return sum((line.exact_amount for line in self.lines if line.kind in kinds), ZERO)


@dataclass(frozen=True, slots=True)
class Drafter:
    """Draws invoices up."""

    keyring: Keyring
    tax_rates: Mapping[str, Decimal]
    """In percent, by country."""

    async def draw(self, tx: Snapshot, tenant_id: UUID, start: datetime, end: datetime) -> Drawn:
        """Answers what the invoice of the time between two moments says now."""
        customer, billed = Customer(tx, tenant_id), Billed(tx, tenant_id)
        currency, zone = await customer.currency(), ZoneInfo(await customer.time_zone())
        buyer = await invoice_settings.get(tx, self.keyring, tenant_id)
        centres = _Centres(buyer, await customer.parents())
        stretches = await _stretches(tx, tenant_id, end)
        lines = [
            *_of_fees(fees(stretches, zone, start, end), currency),
            *(_of_usage(each, centres, currency) for each in await billed.sums(start, end)),
        ]
        closing = await Closings(tx, tenant_id).get()
        burnt = closing.credits + await billed.burnt(closing.sequence)
        lines += _of_credits(burnt, lines, currency)
        return Drawn(currency, lines, self.tax_rates.get(buyer.country, ZERO), buyer)


class _Centres:
    """The cost centres of teams: their own, or that of the nearest team above."""

    def __init__(self, settings: InvoiceSettings, parents: Mapping[UUID, UUID | None]) -> None:
        self._codes = {UUID(each.team_id): each.code for each in settings.cost_centres}
        self._parents = parents

    def of(self, team_id: UUID | None) -> str:
        """Answers the cost centre; empty if there is none."""
        if team_id is None:
            return ""
        line = line_of(team_id, self._parents)
        return next((self._codes[each] for each in line if each in self._codes), "")


def _of_fees(found: Iterable[Fee], currency: str) -> list[Line]:
    lines = []
    for fee in found:
        lines.append(Line(fee.kind, fee.amount, fee.amount, fee.description, quantity=fee.quantity))
        if fee.discount:
            off = -fee.discount
            kind = InvoiceLine.KIND_DISCOUNT
            lines.append(Line(kind, off, rounded(off, currency), fee.description))
    return lines


def _of_usage(each: UsageSum, centres: _Centres, currency: str) -> Line:
    return Line(
        InvoiceLine.KIND_USAGE,
        each.charge,
        rounded(each.charge, currency),
        team_id=each.team_id,
        model=each.model,
        cost_centre=centres.of(each.team_id),
        quantity=each.usages,
    )


def _of_credits(burnt: Decimal, lines: Sequence[Line], currency: str) -> list[Line]:
    """Answers the credits, up to what was used; more of them is for the next invoice."""
    used = sum((line.exact_amount for line in lines if line.kind == InvoiceLine.KIND_USAGE), ZERO)
    applied = min(burnt, used)
    if applied <= 0:
        return []
    # Credits that cover all of the usage leave nothing of what its lines were rounded to.
    shown = sum((line.amount for line in lines if line.kind == InvoiceLine.KIND_USAGE), ZERO)
    amount = shown if applied == used else rounded(applied, currency)
    return [Line(InvoiceLine.KIND_CREDITS, -applied, -amount)]


async def _stretches(tx: Snapshot, tenant_id: UUID, end: datetime) -> list[Stretch]:
    """Answers the times in which fees were due, from what the subscriptions were."""
    phases = await Subscriptions(tx, tenant_id).phases()
    terms = await Plans(tx).versions({(phase.plan_id, phase.plan_version) for _, phase in phases})
    ends = [after.start_time for (_, _), (_, after) in pairwise(phases)] + [end]
    return [
        _stretch(row, phase, terms[phase.plan_id, phase.plan_version], until)
        for (row, phase), until in zip(phases, ends, strict=False)
        if phase.state == Wire.STATE_ACTIVE
    ]


def _stretch(row: Subscription, phase: SubscriptionPhase, terms: PlanTerms, until: datetime) -> Stretch:
    return Stretch(phase.start_time, until, row.start_time, terms, row.currency, phase.seats, phase.discount)
