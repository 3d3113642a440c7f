"""What an invoice says: its lines and sums, as they follow from usage, subscription and credits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from chassis.crypto import Keyring
from chassis.database import Snapshot
from services.billing.invoices import invoice_settings
from services.billing.invoices.numbers import numbered
from services.billing.invoices.taxes import Tax, Taxes
from services.billing.ledger.money import rounded
from services.billing.plans.fees import Fee, fees
from services.billing.plans.included_tokens import Allowance, allowance
from services.billing.plans.stretches import stretches_of
from services.billing.spending.admission import ZERO
from services.billing.spending.splitting import line_of
from services.billing.store.billed import Billed, Closings, Covered, Increase, UsageSum
from services.billing.store.customers import Customer
from wrtn.billing.v1.invoice_settings_pb2 import InvoiceSettings
from wrtn.billing.v1.invoices_pb2 import InvoiceLine

_USED = (InvoiceLine.KIND_USAGE, InvoiceLine.KIND_CORRECTION, InvoiceLine.KIND_INCLUDED)


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
    corrected_invoice_id: UUID | None = None
    """The finalised invoice that a correction corrects."""
    team_name: str = ""


class Drawn(NamedTuple):
    """All that an invoice says."""

    currency: str
    lines: Sequence[Line]
    taxed: Tax
    buyer: InvoiceSettings

    @property
    def subtotal(self) -> Decimal:
        """The sum of the lines."""
        return sum((line.amount for line in self.lines), rounded(ZERO, self.currency))

    @property
    def tax(self) -> Decimal:
        """The tax on the subtotal."""
        return rounded(self.subtotal * self.taxed.rate / 100, self.currency)

    def exact(self, *kinds: InvoiceLine.Kind.ValueType) -> Decimal:
        """Answers the exact sum of lines of these kinds."""
        return sum((line.exact_amount for line in self.lines if line.kind in kinds), ZERO)


@dataclass(frozen=True, slots=True)
class Drafter:
    """Draws invoices up."""

    keyring: Keyring
    taxes: Taxes
    names: Mapping[UUID, str] = field(default_factory=dict)
    """What teams are called, as far as it is known; the others stand there by their ids."""

    async def draw(
        self,
        tx: Snapshot,
        tenant_id: UUID,
        start: datetime,
        end: datetime,
        period_end: datetime | None = None,
    ) -> Drawn:
        """Answers what the invoice of the time between two moments says now.

        Of a period that ends later, all of the tokens are included that it will have had.
        """
        customer, billed = Customer(tx, tenant_id), Billed(tx, tenant_id)
        currency, zone = await customer.currency(), ZoneInfo(await customer.time_zone())
        buyer = await invoice_settings.get(tx, self.keyring, tenant_id)
        centres = _Centres(buyer, await customer.parents())
        until = period_end or end
        stretches = await stretches_of(tx, tenant_id, until)
        lines = [
            *_of_fees(fees(stretches, zone, start, end), currency),
            *(_of_usage(each, centres, currency) for each in await billed.sums(start, end)),
            *(_of_increase(each, centres, currency) for each in await billed.increases(start, end)),
        ]
        granted = allowance(stretches, zone, start, until)
        if granted is not None:
            covered = await billed.covered(start, end, granted.tokens, granted.spans)
            lines += _of_included(covered, granted, lines, currency)
        closing = await Closings(tx, tenant_id).get()
        burnt = closing.credits + await billed.burnt(closing.sequence)
        lines += _taken_off(Line(InvoiceLine.KIND_CREDITS, burnt, ZERO), lines, currency)
        named = [self._named(line) for line in lines]
        return Drawn(currency, named, self.taxes.on(buyer), buyer)

    def _named(self, line: Line) -> Line:
        return line._replace(team_name=self.names.get(line.team_id, "")) if line.team_id is not None else line


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


def _of_increase(each: Increase, centres: _Centres, currency: str) -> Line:
    return Line(
        InvoiceLine.KIND_CORRECTION,
        each.charge,
        rounded(each.charge, currency),
        numbered("INV", each.number),
        each.team_id,
        each.model,
        centres.of(each.team_id),
        each.usages,
        each.invoice_id,
    )


def _of_included(covered: Covered, granted: Allowance, lines: Sequence[Line], currency: str) -> list[Line]:
    """Answers what the plan covers."""
    line = Line(InvoiceLine.KIND_INCLUDED, covered.charge, ZERO, granted.description, quantity=covered.tokens)
    return _taken_off(line, lines, currency)


def _taken_off(line: Line, lines: Sequence[Line], currency: str) -> list[Line]:
    """Answers what is taken off what was used, up to all that is left of it: the line, negative and rounded.

    Of credits, more is for the next invoice.
    """
    used = [each for each in lines if each.kind in _USED]
    left = sum((each.exact_amount for each in used), ZERO)
    off = min(line.exact_amount, left)
    if off <= 0:
        return []
    # What takes all of the usage off leaves nothing of what its lines were rounded to.
    amount = sum((each.amount for each in used), ZERO) if off == left else rounded(off, currency)
    return [line._replace(exact_amount=-off, amount=-amount)]
