"""The refusals of addresses and mail."""

from chassis.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted


class AddressInvalid(InvalidArgument):
    """The text is no email address."""

    reason = "EMAIL_INVALID"


class VerificationRefused(InvalidArgument):
    """The verification token is unknown, used or expired, or another member has the address by now."""

    reason = "VERIFICATION_REFUSED"


class EmailExists(AlreadyExists):
    """The member has added this address before."""

    reason = "EMAIL_EXISTS"


class EmailNotFound(NotFound):
    """The member has no such address."""

    reason = "EMAIL_NOT_FOUND"


class EmailsExhausted(FailedPrecondition):
    """The member has as many addresses as there may be."""

    reason = "EMAILS_EXHAUSTED"


class EmailVerified(FailedPrecondition):
    """The address is verified already."""

    reason = "EMAIL_VERIFIED"


class EmailNotVerified(FailedPrecondition):
    """The address has to be verified first."""

    reason = "EMAIL_NOT_VERIFIED"


class EmailLastVerified(FailedPrecondition):
    """It is the member's last verified address."""

    reason = "EMAIL_LAST_VERIFIED"


class EmailPrimary(FailedPrecondition):
    """It is the primary address; another has to be made primary first."""

    reason = "EMAIL_PRIMARY"


class VerificationThrottled(ResourceExhausted):
    """As many verifications were mailed as may be for now."""

    reason = "VERIFICATION_THROTTLED"


class MailTemplateUnknown(InvalidArgument):
    """There is no such template of a mail."""

    reason = "MAIL_TEMPLATE_UNKNOWN"


class MailValueMissing(InvalidArgument):
    """The template of the mail uses a value that was not given."""

    reason = "MAIL_VALUE_MISSING"


class MemberHasNoAddress(FailedPrecondition):
    """None of the member's addresses is verified: there is none to write to."""

    reason = "MEMBER_HAS_NO_ADDRESS"
