"""Refusals about wallets."""

from __future__ import annotations

from chassis.errors import FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted


class WalletNotFound(NotFound):
    """There is no such tenant, or the caller may not see its wallet."""

    reason = "WALLET_NOT_FOUND"


class WalletLotNotFound(NotFound):
    """The wallet has, and had, no such lot."""

    reason = "WALLET_LOT_NOT_FOUND"


class TopUpInvalid(InvalidArgument):
    """A threshold without an amount, an amount without a threshold, or nothing to buy."""

    reason = "TOP_UP_INVALID"


class WalletSetByPlan(FailedPrecondition):
    """The plan of the enterprise says whether it pays in advance."""

    reason = "WALLET_SET_BY_PLAN"


class WalletExceeded(ResourceExhausted):
    """The credits of a prepaid wallet do not cover the spending."""

    reason = "WALLET_EXCEEDED"
