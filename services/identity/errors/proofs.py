"""The refusals of passwords, second factors and passkeys."""

from chassis.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unauthenticated,
)


class PasswordTooWeak(InvalidArgument):
    """The password is short, common, or derived from the name or address."""

    reason = "PASSWORD_TOO_WEAK"


class ResetRefused(InvalidArgument):
    """The token to reset a password is unknown, used or expired."""

    reason = "RESET_REFUSED"


class PasswordWrong(InvalidArgument):
    """The current password is not this one."""

    reason = "PASSWORD_WRONG"


class PasswordChecksBusy(ResourceExhausted):
    """More passwords wait to be checked than can be in time."""

    reason = "PASSWORD_CHECKS_BUSY"


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
