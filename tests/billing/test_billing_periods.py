"""The periods of budgets, where clocks change and months end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.billing.periods import BEGINNING, Span, following, span
from wrtn.billing.v1.budgets_pb2 import (
    BUDGET_PERIOD_DAY,
    BUDGET_PERIOD_MONTH,
    BUDGET_PERIOD_TOTAL,
    BUDGET_PERIOD_WEEK,
    BudgetPeriod,
)

BERLIN = ZoneInfo("Europe/Berlin")
SEOUL = ZoneInfo("Asia/Seoul")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


def test_a_day_begins_at_midnight_by_the_wall_clock() -> None:
    assert span(BUDGET_PERIOD_DAY, SEOUL, utc(2026, 11, 22, 15)) == Span(
        utc(2026, 11, 22, 15), utc(2026, 11, 23, 15)
    )
    assert span(BUDGET_PERIOD_DAY, SEOUL, utc(2026, 11, 22, 14, 59)).end == utc(2026, 11, 22, 15)


@pytest.mark.parametrize(("day", "hours"), [(29, 23), (28, 24), (30, 24)])
def test_the_day_on_which_clocks_go_forward_is_shorter(day: int, hours: int) -> None:
    found = span(BUDGET_PERIOD_DAY, BERLIN, utc(2026, 3, day, 12))
    assert found.end is not None
    assert found.end - found.start == timedelta(hours=hours)


def test_the_day_on_which_clocks_go_back_is_longer() -> None:
    found = span(BUDGET_PERIOD_DAY, BERLIN, utc(2026, 10, 25, 12))
    assert found == Span(utc(2026, 10, 24, 22), utc(2026, 10, 25, 23))


def test_a_day_whose_midnight_is_skipped_begins_when_the_clock_is_put_forward() -> None:
    beirut = ZoneInfo("Asia/Beirut")
    found = span(BUDGET_PERIOD_DAY, beirut, utc(2026, 3, 29, 12))
    assert found.start == utc(2026, 3, 28, 22)


def test_a_week_begins_on_monday() -> None:
    assert span(BUDGET_PERIOD_WEEK, ZoneInfo("UTC"), utc(2026, 11, 22, 23)) == Span(
        utc(2026, 11, 16), utc(2026, 11, 23)
    )


@pytest.mark.parametrize(
    ("moment", "start", "end"),
    [
        (utc(2028, 2, 29, 12), utc(2028, 2, 1), utc(2028, 3, 1)),
        (utc(2026, 12, 31, 23), utc(2026, 12, 1), utc(2027, 1, 1)),
        (utc(2027, 1, 1), utc(2027, 1, 1), utc(2027, 2, 1)),
    ],
)
def test_a_month_begins_on_its_first(moment: datetime, start: datetime, end: datetime) -> None:
    assert span(BUDGET_PERIOD_MONTH, ZoneInfo("UTC"), moment) == Span(start, end)


def test_a_total_has_no_end() -> None:
    assert span(BUDGET_PERIOD_TOTAL, SEOUL, utc(2026, 1, 1)) == Span(BEGINNING, None)


def test_there_is_no_unspecified_period() -> None:
    with pytest.raises(ValueError, match="no period"):
        span(0, SEOUL, utc(2026, 1, 1))


def test_a_change_of_zone_waits_for_the_end_of_the_running_period() -> None:
    running = span(BUDGET_PERIOD_DAY, BERLIN, utc(2026, 11, 22, 12))
    wanted = span(BUDGET_PERIOD_DAY, SEOUL, utc(2026, 11, 22, 23, 30))
    assert following(running, wanted) == Span(utc(2026, 11, 22, 23), utc(2026, 11, 23, 15))


@given(
    some.sampled_from(sorted(available_timezones() - {"localtime"})),
    some.sampled_from([BUDGET_PERIOD_DAY, BUDGET_PERIOD_WEEK, BUDGET_PERIOD_MONTH]),
    some.integers(0, 2**31).map(lambda seconds: BEGINNING + timedelta(seconds=seconds)),
)
def test_periods_cover_their_moment_and_follow_on_each_other(
    zone: str, period: BudgetPeriod.ValueType, moment: datetime
) -> None:
    here = span(period, ZoneInfo(zone), moment)
    assert here.covers(moment)
    assert here.end is not None
    assert span(period, ZoneInfo(zone), here.end).start == here.end
    assert span(period, ZoneInfo(zone), here.end - timedelta(microseconds=1)) == here
