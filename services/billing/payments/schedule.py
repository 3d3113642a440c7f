"""On which days after an invoice was due its dunning takes a step, as the settings say. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from chassis.settings import SettingsError

_APART = timedelta(days=1)
_LONGEST = 365


@dataclass(frozen=True, slots=True)
class Schedule:
    """The days of the steps, and that with whose step the grace is over."""

    days: tuple[int, ...]
    overdue_day: int

    def time_of(
        self, step: int, due: datetime, zone: ZoneInfo, done: datetime | None = None
    ) -> datetime | None:
        """Answers when a step is due, None if there is none; at least a day after the one before was `done`.

        Days are those of the tenant's wall clock, so that a step keeps its hour where clocks change.
        """
        if step >= len(self.days):
            return None
        planned = (due.astimezone(zone) + timedelta(days=self.days[step])).astimezone(UTC)
        return planned if done is None else max(planned, done + _APART)


def read(days: str, overdue_day: int) -> Schedule:
    """Reads the settings "1,3,5,7,14,21,28" and 14; raises SettingsError."""
    try:
        found = tuple(int(each) for each in days.split(","))
    except ValueError:
        raise _wrong() from None
    if list(found) != sorted(set(found)) or not 1 <= found[0] <= found[-1] <= _LONGEST:
        raise _wrong()
    if overdue_day not in found:
        raise SettingsError(["WRTN_OVERDUE_DAY must be one of WRTN_DUNNING_DAYS"])
    return Schedule(found, overdue_day)


def _wrong() -> SettingsError:
    return SettingsError(["WRTN_DUNNING_DAYS must be ascending days from 1 to 365: 1,3,5,7,14,21,28"])
