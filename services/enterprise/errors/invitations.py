"""The refusals of invitations and imports."""

from chassis.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted


class AddressInvalid(InvalidArgument):
    """The text is no email address."""

    reason = "ADDRESS_INVALID"


class InvitationNotFound(NotFound):
    """The enterprise has no such invitation."""

    reason = "INVITATION_NOT_FOUND"


class InvitationInvalid(NotFound):
    """The invitation cannot be answered by the caller; why is not told."""

    reason = "INVITATION_INVALID"


class InvitationOpen(AlreadyExists):
    """The address has an open invitation of the enterprise."""

    reason = "INVITATION_OPEN"


class InvitationEnded(FailedPrecondition):
    """The invitation was accepted, declined or revoked, or its time is over."""

    reason = "INVITATION_ENDED"


class InvitationResent(ResourceExhausted):
    """The mail of the invitation was sent a moment ago, or too often."""

    reason = "INVITATION_RESENT"


class ImportNotFound(NotFound):
    """The enterprise has no such import."""

    reason = "IMPORT_NOT_FOUND"


class ImportTooLarge(InvalidArgument):
    """The file has more bytes or rows than an import takes; nothing of it was done."""

    reason = "IMPORT_TOO_LARGE"


class ImportNotText(InvalidArgument):
    """The file is no CSV in UTF-8."""

    reason = "IMPORT_NOT_TEXT"


class ImportHeaderInvalid(InvalidArgument):
    """The first row does not name the columns: one is missing, unknown or named twice."""

    reason = "IMPORT_HEADER_INVALID"


class ImportEmpty(InvalidArgument):
    """The file has no rows."""

    reason = "IMPORT_EMPTY"


class ImportRowInvalid(InvalidArgument):
    """A row of the file is wrong in itself."""

    reason = "IMPORT_ROW_INVALID"


class ImportRefused(FailedPrecondition):
    """Some rows cannot be done, and all or none were wanted: nothing was done."""

    reason = "IMPORT_REFUSED"
