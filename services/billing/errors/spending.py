"""Refusals about budgets and spending."""

from __future__ import annotations

from chassis.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
)


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
