"""What a refused admission says."""

from __future__ import annotations

from chassis.decimals import text
from chassis.errors import DomainError
from services.billing.errors import BudgetExceeded, RateExceeded, WalletExceeded
from services.billing.spending.admission import ZERO, Level, Refusal

_WALLET = "The credits in the wallet do not cover it: buy more."


def refusal_of(no: Refusal) -> DomainError:
    """Answers the error that tells at which level it does not fit, what is left and when that changes."""
    counter = no.counter
    if no.rate:
        return RateExceeded(
            f"Too fast for the budget of this {counter.level}: slow down.",
            retry_after=no.wait,
            level=counter.level.value,
            level_id=counter.level_id,
            budget_id=counter.budget_id,
        )
    if counter.level is Level.WALLET:
        left = text(max(counter.left, ZERO))
        return WalletExceeded(_WALLET, level=counter.level.value, level_id=counter.level_id, left=left)
    return BudgetExceeded(
        f"The budget of this {counter.level} does not cover it: ask for more, or wait until it resets.",
        retry_after=no.wait,
        level=counter.level.value,
        level_id=counter.level_id,
        budget_id=counter.budget_id,
        left=text(max(counter.left, ZERO)),
        reset_time=counter.end.isoformat() if counter.end is not None else "",
    )
