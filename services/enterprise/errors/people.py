"""The refusals of employments and deputyships."""

from chassis.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unauthenticated,
)


class EmployeeNotFound(NotFound):
    """The enterprise has no such employee."""

    reason = "EMPLOYEE_NOT_FOUND"


class MemberNotFound(NotFound):
    """The member is unknown or not active: both look the same."""

    reason = "MEMBER_NOT_FOUND"


class MemberNotActive(FailedPrecondition):
    """The member whom the directory names is suspended, or has closed the membership."""

    reason = "MEMBER_NOT_ACTIVE"


class AlreadyEmployed(AlreadyExists):
    """The member is employed in this enterprise already."""

    reason = "ALREADY_EMPLOYED"


class AppointmentAboveRight(PermissionDenied):
    """The appointment is not the caller's to make."""

    reason = "APPOINTMENT_ABOVE_RIGHT"


class DutiesNeedAManager(FailedPrecondition):
    """Duties are for managers: a member can have none, and an owner has all by the title."""

    reason = "DUTIES_NEED_A_MANAGER"


class EmployeeDismissed(FailedPrecondition):
    """The employee was dismissed or left."""

    reason = "EMPLOYEE_DISMISSED"


class EmployeeActive(FailedPrecondition):
    """The employee is employed: accounts are handed over after a dismissal."""

    reason = "EMPLOYEE_ACTIVE"


class LastOwner(FailedPrecondition):
    """The enterprise would be left without an owner."""

    reason = "LAST_OWNER"


class LeavingNeedsDismissal(FailedPrecondition):
    """The enterprise wants every employment to end by a dismissal."""

    reason = "LEAVING_NEEDS_DISMISSAL"


class SuccessorNotFound(NotFound):
    """The enterprise employs no such successor, or it is who was dismissed."""

    reason = "SUCCESSOR_NOT_FOUND"


class HandoverPending(FailedPrecondition):
    """The account is being handed over at this moment."""

    reason = "HANDOVER_PENDING"


class NothingToHandOver(FailedPrecondition):
    """No account of the employee is frozen: each has a successor."""

    reason = "NOTHING_TO_HAND_OVER"


class ActingEnded(Unauthenticated):
    """Identity says that the caller may not act any more, whatever was known a moment ago."""

    reason = "PRINCIPAL_ENDED"


class DeputyNotFound(NotFound):
    """The enterprise has no such deputyship."""

    reason = "DEPUTY_NOT_FOUND"


class DeputyOfThemself(InvalidArgument):
    """Nobody stands in for themself."""

    reason = "DEPUTY_OF_THEMSELF"


class DeputyTimeInvalid(InvalidArgument):
    """The end of the deputyship is past, or too far away."""

    reason = "DEPUTY_TIME_INVALID"


class NothingToStandInFor(FailedPrecondition):
    """The absent one is neither chief nor manager there."""

    reason = "NOTHING_TO_STAND_IN_FOR"
