"""Refusals about whom and when is asked."""

from __future__ import annotations

from chassis.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable


class TeamNotFound(NotFound):
    """The enterprise has, and had, no such team."""

    reason = "TEAM_NOT_FOUND"


class TimeRangeInvalid(InvalidArgument):
    """The times are none, or the end is not after the start."""

    reason = "TIME_RANGE_INVALID"


class EnterpriseUnknown(Unavailable):
    """The event that tells the enterprise's currency has not come yet: nothing can be charged before."""

    reason = "ENTERPRISE_UNKNOWN"


class AccountNotFound(NotFound):
    """The tenant has no such account, or its holder works there no more."""

    reason = "ACCOUNT_NOT_FOUND"


class TeamNotJoined(FailedPrecondition):
    """The holder of the account is no companion of the team, or the team is archived."""

    reason = "TEAM_NOT_JOINED"


class EmployeeNotFound(NotFound):
    """The enterprise has no such employee."""

    reason = "EMPLOYEE_NOT_FOUND"


class DocumentFailed(Unavailable):
    """The PDF was not made in time."""

    reason = "DOCUMENT_FAILED"
