"""The refusals of service credentials and API keys."""

from chassis.errors import FailedPrecondition, InvalidArgument, NotFound, Unauthenticated


class CredentialRefused(Unauthenticated):
    """The service credential is unknown, revoked, or the secret is wrong."""

    reason = "CREDENTIAL_REFUSED"


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
