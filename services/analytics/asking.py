"""What a query asks for, read from the request and checked: pure but for the list of time zones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from google.protobuf.timestamp_pb2 import Timestamp

from services.analytics.errors import TimeRangeInvalid, TimeZoneUnknown
from services.analytics.stretches import Division, ceiling, floor
from wrtn.analytics.v1 import usage_pb2

DEFAULT_RANGE = timedelta(days=30)
LONGEST = {
    Division.WHOLE: timedelta(days=3660),
    Division.DAY: timedelta(days=400),
    Division.HOUR: timedelta(days=31),
}
"""How long the time of a query may be, by how finely it is divided."""
_EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)

_DIVISIONS = {
    usage_pb2.GRANULARITY_UNSPECIFIED: Division.WHOLE,
    usage_pb2.GRANULARITY_HOUR: Division.HOUR,
    usage_pb2.GRANULARITY_DAY: Division.DAY,
}

Request = usage_pb2.QueryUsageRequest | usage_pb2.QueryAccountUsageRequest


class By(Enum):
    """By what usage is divided besides time."""

    NOTHING = usage_pb2.USAGE_GROUP_UNSPECIFIED
    TEAM = usage_pb2.USAGE_GROUP_TEAM
    EMPLOYEE = usage_pb2.USAGE_GROUP_EMPLOYEE
    MODEL = usage_pb2.USAGE_GROUP_MODEL
    ACCOUNT = usage_pb2.USAGE_GROUP_ACCOUNT


@dataclass(frozen=True, slots=True)
class Asked:
    """A checked query. The times are whole quarters of an hour."""

    start: datetime
    end: datetime
    division: Division
    by: By
    zone: ZoneInfo
    model: str = ""
    team_id: UUID | None = None
    account_id: UUID | None = None
    holders: tuple[UUID, ...] = ()
    """Only what these used as holders of the account; all if there are none."""


def read(request: Request, now: datetime) -> Asked:
    """Reads a request; raises TimeRangeInvalid and TimeZoneUnknown."""
    end = _moment(request.end_time, "end_time") if request.HasField("end_time") else now
    start = (
        _moment(request.start_time, "start_time") if request.HasField("start_time") else end - DEFAULT_RANGE
    )
    if end <= start:
        raise TimeRangeInvalid("The end must be after the start.", field="end_time")
    division = _DIVISIONS[request.granularity]
    start, end = floor(start), ceiling(end)
    if end - start > LONGEST[division]:
        most = LONGEST[division].days
        raise TimeRangeInvalid(
            f"A time divided by {division.value} may be {most} days long.", field="start_time", most_days=most
        )
    team = request.team_id if isinstance(request, usage_pb2.QueryUsageRequest) else ""
    account = request.account_id if isinstance(request, usage_pb2.QueryAccountUsageRequest) else ""
    return Asked(
        start,
        end,
        division,
        By(request.group_by),
        _zone(request.time_zone or "UTC"),
        request.model,
        UUID(team) if team else None,
        UUID(account) if account else None,
    )


def _moment(time: Timestamp, field: str) -> datetime:
    try:
        found = time.ToDatetime(UTC)
    except (ValueError, OverflowError):
        found = datetime.max.replace(tzinfo=UTC)
    if not _EARLIEST <= found < _LATEST:
        raise TimeRangeInvalid("The time must lie between the years 1971 and 2199.", field=field)
    return found


def _zone(name: str) -> ZoneInfo:
    # By the list, since ZoneInfo would read other files of the same folder too.
    if name not in _zones():
        raise TimeZoneUnknown("The time zone is not in the IANA database.", field="time_zone")
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
