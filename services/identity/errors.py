"""The refusals of identity, each with its gRPC code and its reason."""

from chassis.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
)


class AddressInvalid(InvalidArgument):
    """The text is no email address."""

    reason = "EMAIL_INVALID"


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


class AvatarNotFound(NotFound):
    """The member has no avatar."""

    reason = "AVATAR_NOT_FOUND"


class PasswordTooWeak(InvalidArgument):
    """The password is short, common, or derived from the name or address."""

    reason = "PASSWORD_TOO_WEAK"


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


class SignInRefused(Unauthenticated):
    """Address and password do not open a login. It does not say which was wrong."""

    reason = "SIGN_IN_REFUSED"


class MemberSuspended(Unauthenticated):
    """Staff hold the member back. It is told only to who knows the password."""

    reason = "MEMBER_SUSPENDED"


class MembershipClosed(Unauthenticated):
    """The member has ended the membership. It is told only to who knows the password."""

    reason = "MEMBER_CLOSED"


class MemberStateRefused(FailedPrecondition):
    """The member is pending or closed: that cannot be done to them."""

    reason = "MEMBER_STATE_REFUSED"


class MemberIsStaff(FailedPrecondition):
    """The member holds a right as staff, which has to be taken first."""

    reason = "MEMBER_IS_STAFF"


class ResetRefused(InvalidArgument):
    """The token to reset a password is unknown, used or expired."""

    reason = "RESET_REFUSED"


class PasswordWrong(InvalidArgument):
    """The current password is not this one."""

    reason = "PASSWORD_WRONG"


class RefreshRefused(Unauthenticated):
    """The refresh token is unknown or expired, or its login has ended."""

    reason = "REFRESH_TOKEN_REFUSED"


class RefreshTokenReused(Unauthenticated):
    """The refresh token was used before; its login has ended."""

    reason = "REFRESH_TOKEN_REUSED"


class CredentialRefused(Unauthenticated):
    """The service credential is unknown, revoked, or the secret is wrong."""

    reason = "CREDENTIAL_REFUSED"


class MemberNotFound(NotFound):
    """There is no such member, or none that the caller may see."""

    reason = "MEMBER_NOT_FOUND"


class LoginNotFound(NotFound):
    """The member has no such login."""

    reason = "LOGIN_NOT_FOUND"


class AccountNotFound(NotFound):
    """There is no such account, or the caller does not hold it."""

    reason = "ACCOUNT_NOT_FOUND"


class CredentialNotFound(NotFound):
    """The enterprise has no such credential."""

    reason = "CREDENTIAL_NOT_FOUND"


class ApiKeyNotFound(NotFound):
    """The caller, or the enterprise, has no such API key."""

    reason = "API_KEY_NOT_FOUND"


class ApiKeysTooMany(FailedPrecondition):
    """The member has as many good API keys as one may have."""

    reason = "API_KEYS_TOO_MANY"


class ScopeUnknown(InvalidArgument):
    """No rule knows the scope: wrtn.access.v1 ServiceScope lists them."""

    reason = "SCOPE_UNKNOWN"


class ExpiryPast(InvalidArgument):
    """What is to be created would have expired already."""

    reason = "EXPIRY_PAST"


class CredentialEnded(FailedPrecondition):
    """The credential was revoked or has expired."""

    reason = "CREDENTIAL_ENDED"


class SecretRotationUnderWay(FailedPrecondition):
    """Two secrets of the credential are good already."""

    reason = "SECRET_ROTATION_UNDER_WAY"


class AccountExists(AlreadyExists):
    """The account is open already, for another member."""

    reason = "ACCOUNT_EXISTS"


class PasswordChecksBusy(ResourceExhausted):
    """More passwords wait to be checked than can be in time."""

    reason = "PASSWORD_CHECKS_BUSY"


class ActingEnded(Unauthenticated):
    """The login ended or the account went to another while the call was on its way."""

    reason = "PRINCIPAL_ENDED"


class AccountCodeInvalid(InvalidArgument):
    """The text cannot be an account's code."""

    reason = "ACCOUNT_CODE_INVALID"


class AccountCodeTaken(AlreadyExists):
    """Another account of the tenant has the code."""

    reason = "ACCOUNT_CODE_TAKEN"


class AccountHeldByAnother(FailedPrecondition):
    """The account is held by somebody else than the request says."""

    reason = "ACCOUNT_HELD_BY_ANOTHER"


class TransferNotFound(NotFound):
    """There is no such transfer, or none that concerns the caller."""

    reason = "TRANSFER_NOT_FOUND"


class TransferPending(FailedPrecondition):
    """The account is on offer already."""

    reason = "TRANSFER_PENDING"


class TransferNotPending(FailedPrecondition):
    """The offer was answered, taken back, or has expired."""

    reason = "TRANSFER_NOT_PENDING"


class TransferToOneself(InvalidArgument):
    """The receiver is the holder of the account, or who offers it."""

    reason = "TRANSFER_TO_ONESELF"


class TransferExists(AlreadyExists):
    """Another transfer has this id."""

    reason = "TRANSFER_EXISTS"


class TransferNotAllowed(PermissionDenied):
    """The caller sees the account and may not hand it over."""

    reason = "TRANSFER_NOT_ALLOWED"


class ReceiverNotEmployed(FailedPrecondition):
    """The account is an enterprise's, and the receiver does not work there."""

    reason = "RECEIVER_NOT_EMPLOYED"


class TooManyTries(ResourceExhausted):
    """More wrong tries than are allowed; it says nothing of what was tried."""

    reason = "TOO_MANY_TRIES"


class ChallengeRefused(Unauthenticated):
    """The sign-in that waited for a second factor is unknown, complete or expired."""

    reason = "CHALLENGE_REFUSED"


class SecondFactorRefused(Unauthenticated):
    """The code is wrong, used or too old."""

    reason = "SECOND_FACTOR_REFUSED"


class SecondFactorActive(FailedPrecondition):
    """An authenticator app is active already."""

    reason = "SECOND_FACTOR_ACTIVE"


class SecondFactorMissing(FailedPrecondition):
    """There is no authenticator app in the state that this needs."""

    reason = "SECOND_FACTOR_MISSING"


class ProofMissing(FailedPrecondition):
    """The sign-in was too long ago to prove who calls, and the request proves nothing."""

    reason = "PROOF_MISSING"


class ProofRefused(Unauthenticated):
    """The password that was to prove who calls is wrong."""

    reason = "PROOF_REFUSED"


class PasskeyRefused(Unauthenticated):
    """The assertion proves nothing: unknown passkey, wrong origin or signature, used or foreign challenge."""

    reason = "PASSKEY_REFUSED"


class PasskeyInvalid(InvalidArgument):
    """What the authenticator made cannot be taken: wrong origin or signature, used or foreign challenge."""

    reason = "PASSKEY_INVALID"


class PasskeyExists(AlreadyExists):
    """The member has this passkey already."""

    reason = "PASSKEY_EXISTS"


class PasskeyNotFound(NotFound):
    """The member has no such passkey."""

    reason = "PASSKEY_NOT_FOUND"


class TooManyPasskeys(FailedPrecondition):
    """The member has as many passkeys as they may."""

    reason = "TOO_MANY_PASSKEYS"


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


class PolicyLocksOutAuthor(FailedPrecondition):
    """The sign-in policy would refuse the very call that sets it."""

    reason = "POLICY_LOCKS_OUT_AUTHOR"


class RangeInvalid(InvalidArgument):
    """The text is no network."""

    reason = "RANGE_INVALID"


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
