"""The refusals of people, their profiles and what becomes of them."""

from chassis.errors import Aborted, FailedPrecondition, InvalidArgument, NotFound, Unauthenticated


class TimeZoneUnknown(InvalidArgument):
    """The IANA database has no such time zone."""

    reason = "TIME_ZONE_UNKNOWN"


class PhoneInvalid(InvalidArgument):
    """The text is no phone number with the code of its country."""

    reason = "PHONE_INVALID"


class MemberFieldEmpty(InvalidArgument):
    """The field of a member cannot be empty."""

    reason = "MEMBER_FIELD_EMPTY"


class EtagMismatch(Aborted):
    """The thing has changed since the etag was read."""

    reason = "ETAG_MISMATCH"


class AvatarTypeUnsupported(InvalidArgument):
    """The image is no PNG, JPEG or WebP by its own bytes."""

    reason = "AVATAR_TYPE_UNSUPPORTED"


class AvatarTooLarge(InvalidArgument):
    """The image has more pixels than a small picture may, or tells no size."""

    reason = "AVATAR_TOO_LARGE"


class AvatarNotFound(NotFound):
    """The member has no avatar."""

    reason = "AVATAR_NOT_FOUND"


class MemberSuspended(Unauthenticated):
    """Staff hold the member back. It is told only to who knows the password."""

    reason = "MEMBER_SUSPENDED"


class MembershipClosed(Unauthenticated):
    """The member has ended the membership. It is told only to who knows the password."""

    reason = "MEMBER_CLOSED"


class MemberStateRefused(FailedPrecondition):
    """The member is pending or closed: that cannot be done to them."""

    reason = "MEMBER_STATE_REFUSED"


class MemberEmployed(FailedPrecondition):
    """The member works in enterprises, which have to be left first."""

    reason = "MEMBER_EMPLOYED"


class MemberIsStaff(FailedPrecondition):
    """The member holds a right as staff, which has to be taken first."""

    reason = "MEMBER_IS_STAFF"


class MemberNotFound(NotFound):
    """There is no such member, or none that the caller may see."""

    reason = "MEMBER_NOT_FOUND"


class ExportNotFound(NotFound):
    """There is no such export of the caller's, or it is too old."""

    reason = "EXPORT_NOT_FOUND"


class ErasureReasonMissing(InvalidArgument):
    """An administrator erases a member for a reason."""

    reason = "ERASURE_REASON_MISSING"


class CertificateNotFound(NotFound):
    """There is no such certificate."""

    reason = "CERTIFICATE_NOT_FOUND"


class MemberNotActive(FailedPrecondition):
    """The member is suspended, or has closed the membership."""

    reason = "MEMBER_NOT_ACTIVE"
