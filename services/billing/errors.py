"""The errors of billing."""

from __future__ import annotations

from chassis.errors import InvalidArgument, NotFound, Unavailable


class AccountNotFound(NotFound):
    """The account does not exist, or is none whose costs the caller may see."""

    reason = "ACCOUNT_NOT_FOUND"


class TeamNotFound(NotFound):
    """The enterprise has, and had, no such team."""

    reason = "TEAM_NOT_FOUND"


class TimeRangeInvalid(InvalidArgument):
    """The times are none, or the end is not after the start."""

    reason = "TIME_RANGE_INVALID"


class PricesMissing(Unavailable):
    """The price list is empty: nothing can be rated before it is imported."""

    reason = "PRICES_MISSING"
