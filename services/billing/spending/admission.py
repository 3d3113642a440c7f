"""Whether a spending fits: every budget that covers it is asked, in one step. Pure.

No admission takes spent + reserved above a limit. Who decides holds the locks of all counters and writes
them back before anybody else reads them, so that this is true on any number of replicas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

ZERO = Decimal(0)
_MINUTE = 60.0


class Level(StrEnum):
    """At which level a budget limits."""

    ENTERPRISE = "enterprise"
    TEAM = "team"
    EMPLOYEE = "employee"
    WALLET = "wallet"


class Ask(NamedTuple):
    """What is to be reserved."""

    amount: Decimal
    tokens: int
    """Estimated, for the rate and plans that limit them; 0 if only an amount was named."""
    counted: bool = True
    """False if only an amount was named."""


@dataclass(slots=True)
class Counter:
    """A budget in one of its periods, or a wallet, as it stands now; admissions change it.

    Of a wallet the limit are its credits, and nothing is spent: what is spent leaves it. It is soft if what
    it does not cover may be owed.
    """

    budget_id: UUID
    """The tenant's own id for its wallet."""
    tenant_id: UUID
    team_id: UUID | None
    employee_id: UUID | None
    """Who is limited: all of the tenant, a team, an employee, or an employee within a team."""
    limit: Decimal
    soft: bool
    requests_per_minute: int
    tokens_per_minute: int
    start: datetime
    end: datetime | None
    spent: Decimal
    reserved: Decimal
    requests: float = 0.0
    tokens: float = 0.0
    drain_time: datetime | None = None
    wallet: bool = False

    @property
    def level(self) -> Level:
        """At which level it limits."""
        if self.wallet:
            return Level.WALLET
        if self.employee_id is not None:
            return Level.EMPLOYEE
        return Level.TEAM if self.team_id is not None else Level.ENTERPRISE

    @property
    def level_id(self) -> UUID:
        """The employee, the team or the enterprise."""
        return self.employee_id or self.team_id or self.tenant_id

    @property
    def left(self) -> Decimal:
        """What can still be reserved; below zero after an overshoot."""
        return self.limit - self.spent - self.reserved

    def drain(self, now: datetime) -> None:
        """Lets the used rates drain away evenly, a minute's worth a minute."""
        if self.drain_time == now:
            return
        if self.drain_time is not None:
            share = max(0.0, (now - self.drain_time).total_seconds()) / _MINUTE
            self.requests = max(0.0, self.requests - share * self.requests_per_minute)
            self.tokens = max(0.0, self.tokens - share * self.tokens_per_minute)
        self.drain_time = now


class Refusal(NamedTuple):
    """Why a spending does not fit, and where."""

    counter: Counter
    rate: bool
    """Whether it is too fast, rather than too dear."""
    wait: float | None
    """Seconds after which the same may fit, as far as that is known."""


def admit(ask: Ask, counters: Sequence[Counter], now: datetime) -> Refusal | None:
    """Takes the spending into all counters, or answers the first refusal and changes none of them.

    `counters` are asked in their order: the narrowest level first. A soft budget refuses nothing.
    """
    for counter in counters:
        counter.drain(now)
    for counter in counters:
        refusal = _refusal(ask, counter, now)
        if refusal is not None:
            return refusal
    for counter in counters:
        counter.reserved += ask.amount
        counter.requests += 1
        counter.tokens += ask.tokens
    return None


def _refusal(ask: Ask, counter: Counter, now: datetime) -> Refusal | None:
    # A spending of nothing is refused, too, once more than the limit is spent: the call after an overshoot.
    if not counter.soft and ((left := counter.left) < ask.amount or left <= ZERO):
        wait = (counter.end - now).total_seconds() if counter.end is not None else None
        return Refusal(counter, rate=False, wait=wait)
    for bound, used, more in (
        (counter.requests_per_minute, counter.requests, 1),
        (counter.tokens_per_minute, counter.tokens, ask.tokens),
    ):
        if bound and used + more > bound:
            # What alone is more than a minute's worth never fits.
            wait = (used + more - bound) / bound * _MINUTE if more <= bound else None
            return Refusal(counter, rate=True, wait=wait)
    return None
