"""The refusals of signing in, logins and sign-in policies."""

from chassis.errors import FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted, Unauthenticated


class SignInRefused(Unauthenticated):
    """Address and password do not open a login. It does not say which was wrong."""

    reason = "SIGN_IN_REFUSED"


class RefreshRefused(Unauthenticated):
    """The refresh token is unknown or expired, or its login has ended."""

    reason = "REFRESH_TOKEN_REFUSED"


class RefreshTokenReused(Unauthenticated):
    """The refresh token was used before; its login has ended."""

    reason = "REFRESH_TOKEN_REUSED"


class LoginNotFound(NotFound):
    """The member has no such login."""

    reason = "LOGIN_NOT_FOUND"


class ActingEnded(Unauthenticated):
    """The login ended or the account went to another while the call was on its way."""

    reason = "PRINCIPAL_ENDED"


class TooManyTries(ResourceExhausted):
    """More wrong tries than are allowed; it says nothing of what was tried."""

    reason = "TOO_MANY_TRIES"


class PolicyLocksOutAuthor(FailedPrecondition):
    """The sign-in policy would refuse the very call that sets it."""

    reason = "POLICY_LOCKS_OUT_AUTHOR"


class RangeInvalid(InvalidArgument):
    """The text is no network."""

    reason = "RANGE_INVALID"


class LastWayToSignIn(FailedPrecondition):
    """Nothing else would be left to sign in with."""

    reason = "LAST_WAY_TO_SIGN_IN"
