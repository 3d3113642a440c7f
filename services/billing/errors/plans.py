"""Refusals about plans and subscriptions."""

from __future__ import annotations

from chassis.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
)


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


class TokensExceeded(ResourceExhausted):
    """The plan includes no more tokens this month, and allows none beyond them."""

    reason = "TOKENS_EXCEEDED"


class TokensNotEstimated(InvalidArgument):
    """The plan limits tokens, and the estimate names an amount alone."""

    reason = "TOKENS_NOT_ESTIMATED"


class SubscriptionHalted(FailedPrecondition):
    """Nothing can be spent, since the subscription is paused or over."""

    reason = "SUBSCRIPTION_HALTED"


class ModelNotInPlan(FailedPrecondition):
    """The plan does not include the model."""

    reason = "MODEL_NOT_IN_PLAN"
