"""What a subscription costs between two moments: each fee by the share of its time. Pure.

A fee is for a term: a month by the calendar of the enterprise's time zone, or a year from the start of the
subscription on. A part of a term costs what is due up to its end less what was due up to its beginning, both
rounded half to even: so the parts of a term always add up to the fee.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple
from zoneinfo import ZoneInfo

from services.billing.ledger import money
from services.billing.periods import Span, span
from wrtn.billing.v1.budgets_pb2 import BUDGET_PERIOD_MONTH
from wrtn.billing.v1.invoices_pb2 import InvoiceLine
from wrtn.billing.v1.plans_pb2 import PlanPrice, PlanTerms

_INSTANT = timedelta(microseconds=1)


class Stretch(NamedTuple):
    """A time in which the same fees were due."""

    start: datetime
    end: datetime
    anchor: datetime
    """From when the years of the subscription count."""
    terms: PlanTerms
    currency: str
    seats: int
    discount: Decimal
    trial: bool = False
    """Whether it costs no fees."""


class Fee(NamedTuple):
    """What a stretch costs of one fee."""

    kind: InvoiceLine.Kind.ValueType
    description: str
    quantity: int
    amount: Decimal
    discount: Decimal
    """What is taken off again; not rounded."""


def term(interval: int, zone: ZoneInfo, anchor: datetime, moment: datetime) -> Span:
    """Answers the month or year around a moment for which a fee is."""
    if interval == PlanTerms.INTERVAL_MONTH:
        return span(BUDGET_PERIOD_MONTH, zone, moment)
    years = moment.astimezone(zone).year - anchor.astimezone(zone).year
    if anniversary(anchor, zone, years) > moment:
        years -= 1
    return Span(anniversary(anchor, zone, years), anniversary(anchor, zone, years + 1))


def anniversary(anchor: datetime, zone: ZoneInfo, years: int) -> datetime:
    """Answers the same time by the wall clock, years later; for a 29th of February else the 28th."""
    local = anchor.astimezone(zone)
    day = 28 if (local.month, local.day) == (2, 29) and not _leap(local.year + years) else local.day
    return local.replace(year=local.year + years, day=day).astimezone(UTC)


def price_in(terms: PlanTerms, currency: str) -> PlanPrice | None:
    """Answers what the plan costs in a currency; None if it is not sold in it."""
    return next((price for price in terms.prices if price.currency == currency), None)


def fees(stretches: Sequence[Stretch], zone: ZoneInfo, start: datetime, end: datetime) -> list[Fee]:
    """Answers the fees of the time from `start` to `end`, in the order of the stretches."""
    return [
        fee
        for stretch in stretches
        if not stretch.trial
        for part, of in parts(stretch, stretch.terms.interval, zone, start, end)
        for fee in _fees(stretch, part, of, whole=part == Span(start, end))
    ]


def share(amount: Decimal, of: Span, part: Span, digits: int) -> Decimal:
    """Answers the part's share of what is for a term; those of all its parts add up to the amount."""
    return _due(amount, of, part.end, digits) - _due(amount, of, part.start, digits)


def parts(
    stretch: Stretch, interval: int, zone: ZoneInfo, start: datetime, end: datetime
) -> Iterator[tuple[Span, Span]]:
    """Yields the parts of the stretch that lie in the time, each with the month or year in which it lies."""
    moment, last = max(start, stretch.start), min(end, stretch.end)
    while moment < last:
        of = term(interval, zone, stretch.anchor, moment)
        until = min(last, of.end or last)
        yield Span(moment, until), of
        moment = until


def _fees(stretch: Stretch, part: Span, of: Span, *, whole: bool) -> Iterator[Fee]:
    price = price_in(stretch.terms, stretch.currency)
    if price is None:
        return
    seats = max(0, stretch.seats - stretch.terms.seats)
    found = (
        (InvoiceLine.KIND_PLAN_FEE, 1, Decimal(price.fee or 0)),
        (InvoiceLine.KIND_SEATS, seats, seats * Decimal(price.seat_fee or 0)),
    )
    for kind, quantity, amount in found:
        due = share(amount, of, part, money.digits(stretch.currency))
        if due:
            shown = kind if whole else InvoiceLine.KIND_PRORATION
            yield Fee(shown, stretch.terms.display_name, quantity, due, due * stretch.discount / 100)


def _due(amount: Decimal, of: Span, until: datetime | None, digits: int) -> Decimal:
    """Answers what of an amount is due up to a moment of its term, with so many digits after the point."""
    if until is None or of.end is None:
        raise ValueError("a share is of a term that ends")
    gone = Fraction((until - of.start) // _INSTANT, (of.end - of.start) // _INSTANT)
    units = round(Fraction(amount) * gone * 10**digits)
    return Decimal(units).scaleb(-digits)


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
