"""What subscriptions cost by the share of their time."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.billing.periods import Span
from services.billing.plans.fees import Fee, Stretch, anniversary, fees, share, term
from wrtn.billing.v1.invoices_pb2 import InvoiceLine
from wrtn.billing.v1.plans_pb2 import PlanPrice, PlanTerms

UTC_ZONE, BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")
MONTH, YEAR = PlanTerms.INTERVAL_MONTH, PlanTerms.INTERVAL_YEAR


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


def stretch(start: datetime, end: datetime, fee: str = "60", **more: object) -> Stretch:
    prices = [PlanPrice(currency="USD", fee=fee, seat_fee="10", included_credits="0")]
    terms = PlanTerms(display_name="Pro", interval=MONTH, prices=prices, seats=5)
    built = Stretch(start, end, start, terms, "USD", 5, Decimal(0))
    return built._replace(**more)  # type: ignore[arg-type]


def test_a_whole_month_costs_the_fee_whatever_its_length() -> None:
    for month in (2, 3, 4):
        start, end = utc(2028, month, 1), utc(2028, month + 1, 1)
        found = fees([stretch(utc(2027, 1, 1), utc(2030, 1, 1), seats=7)], UTC_ZONE, start, end)
        assert found == [
            Fee(InvoiceLine.KIND_PLAN_FEE, "Pro", 1, Decimal(60), Decimal(0)),
            Fee(InvoiceLine.KIND_SEATS, "Pro", 2, Decimal(20), Decimal(0)),
        ]


def test_a_change_shares_the_month_by_the_second() -> None:
    # February 2028 has 29 days: 10 of the old plan, 19 of the new one.
    change = utc(2028, 2, 11)
    old, new = stretch(utc(2028, 2, 1), change, "29"), stretch(change, utc(2028, 3, 1), "290")
    found = fees([old, new], UTC_ZONE, utc(2028, 2, 1), utc(2028, 3, 1))
    assert [(each.kind, each.amount) for each in found] == [
        (InvoiceLine.KIND_PRORATION, Decimal("10.00")),
        (InvoiceLine.KIND_PRORATION, Decimal("190.00")),
    ]
    later = fees([old._replace(end=change.replace(second=1))], UTC_ZONE, utc(2028, 2, 1), utc(2028, 3, 1))
    assert later[0].amount == Decimal("10.00")


def test_a_month_in_which_clocks_change_is_shared_by_its_real_seconds() -> None:
    # March 2026 in Berlin has 743 hours. Its first half by hours:
    start, end = utc(2026, 2, 28, 23), utc(2026, 3, 31, 22)
    assert (end - start).total_seconds() == 743 * 3600
    found = fees([stretch(start, utc(2026, 3, 16, 10, 30), "743")], BERLIN, start, end)
    assert [each.amount for each in found] == [Decimal("371.50")]


def test_a_discount_is_a_share_of_the_fee() -> None:
    whole = stretch(utc(2026, 1, 1), utc(2027, 1, 1), discount=Decimal("12.5"))
    (found,) = fees([whole], UTC_ZONE, utc(2026, 5, 1), utc(2026, 6, 1))
    assert (found.amount, found.discount) == (Decimal(60), Decimal("7.5"))


@pytest.mark.parametrize(
    ("years", "expected"), [(1, utc(2029, 2, 28, 12)), (4, utc(2032, 2, 29, 12)), (72, utc(2100, 2, 28, 12))]
)
def test_a_year_from_a_leap_day_ends_on_the_28th(years: int, expected: datetime) -> None:
    assert anniversary(utc(2028, 2, 29, 12), UTC_ZONE, years) == expected


def test_the_year_around_a_moment_begins_on_the_anniversary_before() -> None:
    anchor = utc(2026, 6, 15)
    assert term(YEAR, UTC_ZONE, anchor, utc(2027, 6, 14)) == Span(anchor, utc(2027, 6, 15))
    assert term(YEAR, UTC_ZONE, anchor, utc(2027, 6, 15)) == Span(utc(2027, 6, 15), utc(2028, 6, 15))


def test_the_months_of_a_year_add_up_to_its_fee() -> None:
    anchor = utc(2027, 6, 15, 8, 30)
    terms = PlanTerms(interval=YEAR, prices=[PlanPrice(currency="USD", fee="1000", seat_fee="0")])
    whole = Stretch(anchor, utc(2030, 1, 1), anchor, terms, "USD", 0, Decimal(0))
    starts = [utc(2027 + (5 + n) // 12, (5 + n) % 12 + 1, 1) for n in range(13)]
    months = [*starts, utc(2028, 6, 15, 8, 30)]
    found = [fee for start, end in pairwise(months) for fee in fees([whole], BERLIN, start, end)]
    assert len(found) == 13
    assert sum(each.amount for each in found) == Decimal(1000)


@given(some.lists(some.datetimes(utc(2026, 3, 1).replace(tzinfo=None), utc(2026, 4, 1).replace(tzinfo=None))))
def test_parts_of_a_term_always_add_up_to_its_fee(cuts: list[datetime]) -> None:
    of = Span(utc(2026, 3, 1), utc(2026, 4, 1))
    places = sorted({of.start, utc(2026, 4, 1), *(cut.replace(tzinfo=UTC) for cut in cuts)})
    parts = [share(Decimal("99.99"), of, Span(a, b), 2) for a, b in pairwise(places)]
    assert sum(parts) == Decimal("99.99")
