"""The tokens that plans include: what the first ones of a period are charged is taken off its invoice. Pure.

A month's tokens are shared by time, as fees are. What is included within one period is one allowance, so that
neither a change of seats nor one of the plan cuts off what was left until then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from services.billing.periods import Span
from services.billing.plans.fees import Stretch, parts, share
from wrtn.billing.v1.plans_pb2 import PlanTerms


class Allowance(NamedTuple):
    """The tokens that are included in a period."""

    tokens: int
    spans: Sequence[Span]
    """When they may be used: while a plan that includes some was subscribed to."""
    description: str
    """The plan, the last of several."""


def allowance(
    stretches: Sequence[Stretch], zone: ZoneInfo, start: datetime, end: datetime
) -> Allowance | None:
    """Answers what the time from `start` to `end` includes; None if that is no tokens at all."""
    found = [
        (stretch, part, of)
        for stretch in stretches
        if stretch.terms.included_tokens
        for part, of in parts(stretch, PlanTerms.INTERVAL_MONTH, zone, start, end)
    ]
    tokens = sum(share(Decimal(each.terms.included_tokens), of, part, 0) for each, part, of in found)
    if not tokens:
        return None
    return Allowance(int(tokens), [part for _, part, _ in found], found[-1][0].terms.display_name)
