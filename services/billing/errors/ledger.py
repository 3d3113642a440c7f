"""Refusals about money and the ledger."""

from __future__ import annotations

from chassis.errors import AlreadyExists, FailedPrecondition, InvalidArgument


class CurrencyMismatch(FailedPrecondition):
    """The ledger of the tenant is kept in another currency."""

    reason = "CURRENCY_MISMATCH"


class PostingConflict(AlreadyExists):
    """Another posting was made under this reference."""

    reason = "POSTING_CONFLICT"


class CurrencyUnknown(InvalidArgument):
    """The currency is none of ISO 4217's."""

    reason = "CURRENCY_UNKNOWN"
