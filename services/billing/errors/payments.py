"""Refusals about payments."""

from __future__ import annotations

from chassis.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    Unavailable,
)


class PayerNotFound(NotFound):
    """There is no such tenant, or the caller has nothing to do with it."""

    reason = "PAYER_NOT_FOUND"


class PayingNotYours(PermissionDenied):
    """The caller works there, and does not pay."""

    reason = "PAYING_NOT_YOURS"


class CardsNotSetUp(FailedPrecondition):
    """The service has no card provider."""

    reason = "CARDS_NOT_SET_UP"


class PaymentNotFound(NotFound):
    """The tenant has no such payment."""

    reason = "PAYMENT_NOT_FOUND"


class PaymentUnderway(AlreadyExists):
    """Another payment of the invoice is under way."""

    reason = "PAYMENT_UNDERWAY"


class PaymentNotCancellable(FailedPrecondition):
    """The payment waits for nobody."""

    reason = "PAYMENT_NOT_CANCELLABLE"


class PaymentNotRefundable(FailedPrecondition):
    """The payment has not succeeded."""

    reason = "PAYMENT_NOT_REFUNDABLE"


class RefundAbovePaid(FailedPrecondition):
    """Less than that is left of what was paid."""

    reason = "REFUND_ABOVE_PAID"


class RefundNotFound(NotFound):
    """The tenant has no such refund."""

    reason = "REFUND_NOT_FOUND"


class TransferBooked(AlreadyExists):
    """The bank's transaction is booked already."""

    reason = "TRANSFER_BOOKED"


class TransferNotCollectable(FailedPrecondition):
    """A bank transfer comes by itself, or not at all."""

    reason = "TRANSFER_NOT_COLLECTABLE"


class PaymentMethodNotFound(NotFound):
    """The tenant has no such card."""

    reason = "PAYMENT_METHOD_NOT_FOUND"


class PaymentMethodMissing(FailedPrecondition):
    """The tenant has no default card, and none was named."""

    reason = "PAYMENT_METHOD_MISSING"


class PaymentSetupNotFound(NotFound):
    """The tenant has begun no such setup of a card."""

    reason = "PAYMENT_SETUP_NOT_FOUND"


class PaymentSetupUnfinished(FailedPrecondition):
    """Who pays has not given the card to the provider yet."""

    reason = "PAYMENT_SETUP_UNFINISHED"


class CardDeclined(FailedPrecondition):
    """The provider does not take the card."""

    reason = "CARD_DECLINED"


class ProviderUnreachable(Unavailable):
    """The card provider does not answer."""

    reason = "PROVIDER_UNREACHABLE"


class WebhookRefused(InvalidArgument):
    """The call is not signed by the provider, or not lately, or too large."""

    reason = "WEBHOOK_REFUSED"


class RefundAboveLeft(FailedPrecondition):
    """More is to be refunded than is unspent, or not held by calls under way."""

    reason = "REFUND_ABOVE_LEFT"
