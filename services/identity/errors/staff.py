"""The refusals of staff and break-glass."""

from chassis.errors import FailedPrecondition, NotFound, PermissionDenied


class StaffNotFound(NotFound):
    """The member is not staff."""

    reason = "STAFF_NOT_FOUND"


class NotAdministrator(PermissionDenied):
    """The caller was an administrator when the call began, and is none now."""

    reason = "NOT_ADMITTED"


class AppointingOneself(PermissionDenied):
    """Nobody gives themself a right."""

    reason = "STAFF_APPOINTING_ONESELF"


class LastAdministrator(FailedPrecondition):
    """No administrator would be left."""

    reason = "STAFF_LAST_ADMINISTRATOR"


class TenantNotFound(NotFound):
    """There is no such enterprise or personal account."""

    reason = "TENANT_NOT_FOUND"


class BreakGlassNotFound(NotFound):
    """There is no such use of break-glass."""

    reason = "BREAK_GLASS_NOT_FOUND"
