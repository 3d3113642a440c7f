"""The refusals of teams and the companions in them."""

from chassis.errors import FailedPrecondition, NotFound, PermissionDenied


class TeamNotFound(NotFound):
    """The enterprise has no such team."""

    reason = "TEAM_NOT_FOUND"


class CompanionNotFound(NotFound):
    """The employee is not in the team."""

    reason = "COMPANION_NOT_FOUND"


class TeamArchived(FailedPrecondition):
    """The team, or the one above it, is archived."""

    reason = "TEAM_ARCHIVED"


class TeamActive(FailedPrecondition):
    """The team is not archived."""

    reason = "TEAM_ACTIVE"


class TeamCycle(FailedPrecondition):
    """The team would stand below itself."""

    reason = "TEAM_CYCLE"


class TeamTooDeep(FailedPrecondition):
    """The team would stand deeper in the tree than teams may."""

    reason = "TEAM_TOO_DEEP"


class SiblingNotFound(NotFound):
    """No such team stands where the moved one is to stand."""

    reason = "SIBLING_NOT_FOUND"


class TeamAboveRight(PermissionDenied):
    """The team, or its new place, is not the caller's to decide about."""

    reason = "TEAM_ABOVE_RIGHT"


class TeamAmbiguous(FailedPrecondition):
    """Several live teams at one place have the name."""

    reason = "TEAM_AMBIGUOUS"
