"""The refusals of accounts and their transfers."""

from chassis.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied


class AccountNotFound(NotFound):
    """There is no such account, or the caller does not hold it."""

    reason = "ACCOUNT_NOT_FOUND"


class AccountExists(AlreadyExists):
    """The account is open already, for another member."""

    reason = "ACCOUNT_EXISTS"


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
