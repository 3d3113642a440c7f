"""The periods of budgets: from which moment to which, in the enterprise's time zone. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from wrtn.billing.v1.budgets_pb2 import (
    BUDGET_PERIOD_DAY,
    BUDGET_PERIOD_MONTH,
    BUDGET_PERIOD_TOTAL,
    BUDGET_PERIOD_WEEK,
)

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""When a period without end began."""


class Span(NamedTuple):
    """A stretch of time; `end` is exclusive, and None if there is none."""

    start: datetime
    end: datetime | None

    def covers(self, moment: datetime) -> bool:
        """Whether the moment lies in it."""
        return self.start <= moment and (self.end is None or moment < self.end)


def span(period: int, zone: ZoneInfo, moment: datetime) -> Span:
    """Answers the period around a moment, in UTC. Raises ValueError for no wrtn.billing.v1.BudgetPeriod.

    Days begin at midnight by the wall clock, so that one of them has 23 hours and one 25 where clocks change.
    """
    if period == BUDGET_PERIOD_TOTAL:
        return Span(BEGINNING, None)
    day = moment.astimezone(zone).date()
    if period == BUDGET_PERIOD_DAY:
        first, after = day, day + timedelta(days=1)
    elif period == BUDGET_PERIOD_WEEK:
        first = day - timedelta(days=day.weekday())
        after = first + timedelta(weeks=1)
    elif period == BUDGET_PERIOD_MONTH:
        first = day.replace(day=1)
        after = (first + timedelta(days=32)).replace(day=1)
    else:
        raise ValueError(f"there is no period {period}")
    return Span(midnight(first, zone), midnight(after, zone))


def following(previous: Span, wanted: Span) -> Span:
    """Answers the wanted period, cut where the previous one still lasts: a new zone waits for its end."""
    if previous.end is not None and wanted.start < previous.end:
        return Span(previous.end, wanted.end)
    return wanted


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Answers when the day begins. Where the clock skips midnight, that is when it is put forward."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
