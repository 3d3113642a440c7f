"""What this service refuses, each with its gRPC code and reason."""

from __future__ import annotations

from chassis.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unauthenticated,
)


class SlugTaken(AlreadyExists):
    """The slug is another enterprise's; whose is not told."""

    reason = "SLUG_TAKEN"


class TimeZoneUnknown(InvalidArgument):
    """The time zone is none of IANA's names."""

    reason = "TIME_ZONE_UNKNOWN"


class EmployeeNotFound(NotFound):
    """The enterprise has no such employee."""

    reason = "EMPLOYEE_NOT_FOUND"


class TeamNotFound(NotFound):
    """The enterprise has no such team."""

    reason = "TEAM_NOT_FOUND"


class MemberNotFound(NotFound):
    """The member is unknown or not active: both look the same."""

    reason = "MEMBER_NOT_FOUND"


class AlreadyEmployed(AlreadyExists):
    """The member is employed in this enterprise already."""

    reason = "ALREADY_EMPLOYED"


class AppointmentAboveRight(PermissionDenied):
    """The appointment is not the caller's to make."""

    reason = "APPOINTMENT_ABOVE_RIGHT"


class DutiesNeedAManager(FailedPrecondition):
    """Duties are for managers: a member can have none, and an owner has all by the title."""

    reason = "DUTIES_NEED_A_MANAGER"


class TeamTooDeep(FailedPrecondition):
    """The team would stand deeper in the tree than teams may."""

    reason = "TEAM_TOO_DEEP"


class ActingEnded(Unauthenticated):
    """Identity says that the caller may not act any more, whatever was known a moment ago."""

    reason = "PRINCIPAL_ENDED"
