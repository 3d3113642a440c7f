"""The errors of analytics."""

from __future__ import annotations

from chassis.errors import InvalidArgument, NotFound


class TeamNotFound(NotFound):
    """The enterprise has, and had, no such team."""

    reason = "TEAM_NOT_FOUND"


class TimeRangeInvalid(InvalidArgument):
    """The times are none, the wrong way round, or too far apart for how finely they are divided."""

    reason = "TIME_RANGE_INVALID"


class TimeZoneUnknown(InvalidArgument):
    """The IANA database has no time zone of this name."""

    reason = "TIME_ZONE_UNKNOWN"
