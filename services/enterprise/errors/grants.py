"""The refusals of grants and of requests for rights."""

from chassis.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied


class GrantAboveRight(PermissionDenied):
    """The grant, or the request for one, is not the caller's to decide."""

    reason = "GRANT_ABOVE_RIGHT"


class LockMisplaced(InvalidArgument):
    """Only a deny of the whole enterprise can be locked."""

    reason = "LOCK_MISPLACED"


class ExplanationAboveRight(PermissionDenied):
    """The caller may not ask about this person."""

    reason = "EXPLANATION_ABOVE_RIGHT"


class GrantRequestNotFound(NotFound):
    """The enterprise has no such request for a right, or none that the caller may see."""

    reason = "GRANT_REQUEST_NOT_FOUND"


class GrantRequestOpen(AlreadyExists):
    """The person has requested the resource already, and nobody decided yet."""

    reason = "GRANT_REQUEST_OPEN"


class GrantRequestClosed(FailedPrecondition):
    """The request for a right was decided or withdrawn."""

    reason = "GRANT_REQUEST_CLOSED"


class AlreadyGranted(FailedPrecondition):
    """The person may use the resource there."""

    reason = "ALREADY_GRANTED"


class TeamNotJoined(FailedPrecondition):
    """The person is no companion of the team."""

    reason = "TEAM_NOT_JOINED"


class GrantStillDenied(FailedPrecondition):
    """Something that covers more than the requested resource, or that others decide, denies it still."""

    reason = "GRANT_STILL_DENIED"
