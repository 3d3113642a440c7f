"""Refusals about prices."""

from __future__ import annotations

from chassis.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unavailable,
)


class PricesMissing(Unavailable):
    """The price list is empty: nothing can be rated before it is imported."""

    reason = "PRICES_MISSING"


class PriceNotFound(NotFound):
    """There is no such price, or it is none of our own."""

    reason = "PRICE_NOT_FOUND"


class PriceInvalid(InvalidArgument):
    """The price names no model, or its steps do not ascend."""

    reason = "PRICE_INVALID"


class PriceOverlaps(AlreadyExists):
    """Another price of our own counts for the model in that time."""

    reason = "PRICE_OVERLAPS"


class PriceBackdated(InvalidArgument):
    """It would begin where the model, or the currency, has one already: what was rated stays as it was."""

    reason = "PRICE_BACKDATED"


class CorrectionNotFound(NotFound):
    """There is no such correction."""

    reason = "CORRECTION_NOT_FOUND"


class CorrectionStateRefused(FailedPrecondition):
    """The dry run is not done, or somebody approved or rejected it before."""

    reason = "CORRECTION_STATE_REFUSED"


class CorrectionOwn(PermissionDenied):
    """Who proposes a correction does not approve it."""

    reason = "CORRECTION_OWN"


class PriceRuleNotFound(NotFound):
    """The enterprise has no such rule."""

    reason = "PRICE_RULE_NOT_FOUND"


class ExchangeRateMissing(FailedPrecondition):
    """The currency has no exchange rate yet."""

    reason = "EXCHANGE_RATE_MISSING"
