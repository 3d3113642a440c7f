"""The errors of billing."""

from __future__ import annotations

from chassis.errors import InvalidArgument, NotFound, Unavailable


class TeamNotFound(NotFound):
    """The enterprise has, and had, no such team."""

    reason = "TEAM_NOT_FOUND"


class TimeRangeInvalid(InvalidArgument):
    """The times are none, or the end is not after the start."""

    reason = "TIME_RANGE_INVALID"


class PricesMissing(Unavailable):
    """The price list is empty: nothing can be rated before it is imported."""

    reason = "PRICES_MISSING"
