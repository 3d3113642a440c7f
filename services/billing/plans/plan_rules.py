"""What a plan lets be spent: the level PLAN of an admission. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from chassis.errors import DomainError
from services.billing.errors import ModelNotInPlan, SubscriptionHalted
from wrtn.billing.v1.plans_pb2 import PlanTerms
from wrtn.billing.v1.subscriptions_pb2 import Subscription as Wire

LEVEL = "plan"


class PlanRule(NamedTuple):
    """The newest subscription of a tenant, as far as spending asks for it."""

    plan_id: UUID
    state: int
    cancel_time: datetime | None
    allowed_models: Sequence[str]
    capped: bool = False
    """Whether no more tokens may be used than are included."""

    def refusal(self, model: str, now: datetime) -> DomainError | None:
        """Answers why a call of the model is refused; None if it is not."""
        ended = self.cancel_time is not None and self.cancel_time <= now
        if ended or self.state in (Wire.STATE_PAUSED, Wire.STATE_CANCELED):
            return SubscriptionHalted(
                "The subscription is paused or over: resume it, or start another.",
                level=LEVEL,
                level_id=str(self.plan_id),
            )
        if self.allowed_models and not any(_matches(each, model) for each in self.allowed_models):
            return ModelNotInPlan(
                "The plan does not include this model: choose another one, or change the plan.",
                field="model",
                level=LEVEL,
                level_id=str(self.plan_id),
            )
        return None


def is_capped(terms: PlanTerms) -> bool:
    """Whether the tokens that the plan includes are the limit: no more are admitted."""
    return bool(terms.included_tokens) and not terms.overage_allowed


def _matches(allowed: str, model: str) -> bool:
    """Whether "openai/gpt-4.1" is meant by itself or by "openai/*"."""
    return allowed == model or (allowed.endswith("/*") and model.startswith(allowed[:-1]))
