"""The errors of billing."""

from __future__ import annotations

from chassis.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
)


class TeamNotFound(NotFound):
    """The enterprise has, and had, no such team."""

    reason = "TEAM_NOT_FOUND"


class TimeRangeInvalid(InvalidArgument):
    """The times are none, or the end is not after the start."""

    reason = "TIME_RANGE_INVALID"


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


class EnterpriseUnknown(Unavailable):
    """The event that tells the enterprise's currency has not come yet: nothing can be charged before."""

    reason = "ENTERPRISE_UNKNOWN"


class AccountNotFound(NotFound):
    """The tenant has no such account, or its holder works there no more."""

    reason = "ACCOUNT_NOT_FOUND"


class TeamNotJoined(FailedPrecondition):
    """The holder of the account is no companion of the team, or the team is archived."""

    reason = "TEAM_NOT_JOINED"


class EmployeeNotFound(NotFound):
    """The enterprise has no such employee."""

    reason = "EMPLOYEE_NOT_FOUND"


class BudgetNotFound(NotFound):
    """The enterprise has no such budget, or the caller may not see it."""

    reason = "BUDGET_NOT_FOUND"


class BudgetExists(AlreadyExists):
    """The target has a budget for this resource and period."""

    reason = "BUDGET_EXISTS"


class BudgetNotYours(PermissionDenied):
    """The budget is not the caller's to set: a chief's own team is limited by who is above."""

    reason = "BUDGET_NOT_YOURS"


class BudgetAboveParent(FailedPrecondition):
    """The budgets below would together exceed the one above them."""

    reason = "BUDGET_ABOVE_PARENT"


class BudgetBelowSpent(FailedPrecondition):
    """The amount is below what is spent and reserved in the running period."""

    reason = "BUDGET_BELOW_SPENT"


class BudgetIncreaseNotFound(NotFound):
    """The enterprise has no such increase, or the caller may not see it."""

    reason = "BUDGET_INCREASE_NOT_FOUND"


class BudgetIncreaseOpen(AlreadyExists):
    """The employee has an open request for more of this budget."""

    reason = "BUDGET_INCREASE_OPEN"


class BudgetIncreaseClosed(FailedPrecondition):
    """The increase was decided or withdrawn."""

    reason = "BUDGET_INCREASE_CLOSED"


class AmountInvalid(InvalidArgument):
    """The text is no amount of money."""

    reason = "AMOUNT_INVALID"


class EtagMismatch(Aborted):
    """The budget was changed since it was read."""

    reason = "ETAG_MISMATCH"


class BudgetExceeded(ResourceExhausted):
    """A budget does not cover the spending."""

    reason = "BUDGET_EXCEEDED"


class RateExceeded(ResourceExhausted):
    """The rate of a budget does not allow the spending now."""

    reason = "RATE_EXCEEDED"


class SpendingBusy(ResourceExhausted):
    """More spendings wait to be authorized than can be in time."""

    reason = "SPENDING_BUSY"


class ReservationNotFound(NotFound):
    """The tenant has no such reservation."""

    reason = "RESERVATION_NOT_FOUND"


class ReservationConflict(AlreadyExists):
    """The id is that of a reservation for another request."""

    reason = "RESERVATION_CONFLICT"


class ReservationEnded(FailedPrecondition):
    """The reservation is settled, released or expired."""

    reason = "RESERVATION_ENDED"


class CurrencyMismatch(FailedPrecondition):
    """The ledger of the tenant is kept in another currency."""

    reason = "CURRENCY_MISMATCH"


class PostingConflict(AlreadyExists):
    """Another posting was made under this reference."""

    reason = "POSTING_CONFLICT"


class PlanNotFound(NotFound):
    """There is no such plan."""

    reason = "PLAN_NOT_FOUND"


class PlanExists(AlreadyExists):
    """There is a plan with this key."""

    reason = "PLAN_EXISTS"


class PlanInvalid(InvalidArgument):
    """The terms contradict each other."""

    reason = "PLAN_INVALID"


class PlanArchived(FailedPrecondition):
    """The plan is off the list."""

    reason = "PLAN_ARCHIVED"


class PlanNotSold(FailedPrecondition):
    """The plan has no price in the currency of the enterprise."""

    reason = "PLAN_NOT_SOLD"


class PlanNotSelfService(PermissionDenied):
    """Administrators alone subscribe to this plan."""

    reason = "PLAN_NOT_SELF_SERVICE"


class SubscriptionNotFound(NotFound):
    """The enterprise never subscribed."""

    reason = "SUBSCRIPTION_NOT_FOUND"


class SubscriptionExists(AlreadyExists):
    """The enterprise has a subscription that is not canceled."""

    reason = "SUBSCRIPTION_EXISTS"


class SubscriptionStateRefused(FailedPrecondition):
    """The state of the subscription does not allow it."""

    reason = "SUBSCRIPTION_STATE_REFUSED"


class TrialRefused(FailedPrecondition):
    """The plan has no trial, or the enterprise had one."""

    reason = "TRIAL_REFUSED"


class SubscriptionHalted(FailedPrecondition):
    """Nothing can be spent, since the subscription is paused or over."""

    reason = "SUBSCRIPTION_HALTED"


class ModelNotInPlan(FailedPrecondition):
    """The plan does not include the model."""

    reason = "MODEL_NOT_IN_PLAN"


class DocumentFailed(Unavailable):
    """The PDF was not made in time."""

    reason = "DOCUMENT_FAILED"


class InvoiceNotDraft(FailedPrecondition):
    """The invoice is finalised, its time is not over, or an earlier one is to be finalised first."""

    reason = "INVOICE_NOT_DRAFT"


class InvoicePaidInPart(FailedPrecondition):
    """Something of the invoice is paid or credited."""

    reason = "INVOICE_PAID_IN_PART"


class InvoiceNotFound(NotFound):
    """The tenant has no such invoice."""

    reason = "INVOICE_NOT_FOUND"


class InvoiceNotOpen(FailedPrecondition):
    """The invoice is a draft, paid, withdrawn or given up."""

    reason = "INVOICE_NOT_OPEN"


class InvoiceOverpaid(FailedPrecondition):
    """A payment or credit is above what is due of the invoice."""

    reason = "INVOICE_OVERPAID"


class CurrencyUnknown(InvalidArgument):
    """The currency is none of ISO 4217's."""

    reason = "CURRENCY_UNKNOWN"


class WalletNotFound(NotFound):
    """There is no such tenant, or the caller may not see its wallet."""

    reason = "WALLET_NOT_FOUND"


class WalletLotNotFound(NotFound):
    """The wallet has, and had, no such lot."""

    reason = "WALLET_LOT_NOT_FOUND"


class TopUpInvalid(InvalidArgument):
    """A threshold without an amount, an amount without a threshold, or nothing to buy."""

    reason = "TOP_UP_INVALID"


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


class WalletExceeded(ResourceExhausted):
    """The credits of a prepaid wallet do not cover the spending."""

    reason = "WALLET_EXCEEDED"
