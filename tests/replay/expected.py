"""What the journal says should be there: tokens and money by person, team, model and enterprise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.replay.conversations import Usage
from tests.replay.play import Session

MILLION = Decimal(1_000_000)
NAMES = ("usages", "input tokens", "output tokens", "cost")


@dataclass(frozen=True, slots=True)
class Sum:
    """Usages, tokens and money."""

    usages: int = 0
    input: int = 0
    output: int = 0
    cost: Decimal = Decimal(0)

    def __add__(self, other: Sum) -> Sum:
        return Sum(
            self.usages + other.usages,
            self.input + other.input,
            self.output + other.output,
            self.cost + other.cost,
        )

    def values(self) -> tuple[int | Decimal, ...]:
        """The values in the order of NAMES."""
        return self.usages, self.input, self.output, self.cost


Sums = Mapping[str, Sum]
Prices = Mapping[str, dict[str, Any]]


def cost(usage: Usage, price: dict[str, Any]) -> Decimal:
    """Prices one call by the published price list: the highest step that the context exceeds counts."""
    step = price
    for tier in sorted(price.get("tiers", []), key=lambda tier: int(tier["fromInputTokens"])):
        if usage.input > int(tier["fromInputTokens"]):
            step = tier
    return (
        usage.input * Decimal(step["inputPerMillion"]) + usage.output * Decimal(step["outputPerMillion"])
    ) / MILLION


def expected(sessions: Iterable[Session], prices: Prices) -> dict[str, Sums]:
    """Answers the sums by account, employee, team with all below, model, and in all."""
    groups: dict[str, Callable[[Session], Iterable[str]]] = {
        "account": lambda session: (session.employee.member.account_id,),
        "employee": lambda session: (session.employee.id,),
        "team": lambda session: session.employee.team_ids,
        "model": lambda session: (session.model,),
        "total": lambda session: ("",),
    }
    sums: dict[str, dict[str, Sum]] = {group: defaultdict(Sum) for group in groups}
    for session in sessions:
        own = session_sum(session, prices)
        for group, keys in groups.items():
            for key in keys(session):
                sums[group][key] += own
    return {group: dict(found) for group, found in sums.items()}


def session_sum(session: Session, prices: Prices) -> Sum:
    """Sums the usages of one session."""
    total = Sum()
    for frame in session.conversation.frames:
        if frame.usage:
            price = prices[session.model]
            total += Sum(1, frame.usage.input, frame.usage.output, cost(frame.usage, price))
    return total
