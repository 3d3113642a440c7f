"""Deciding the spendings of a batch one after another, of what was read and locked for it.

Nothing here asks the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from chassis.errors import DomainError
from services.billing.errors import AccountNotFound, ReservationConflict, TeamNotJoined
from services.billing.models import ReservationState
from services.billing.plans.plan_rules import PlanRule
from services.billing.spending.admission import ZERO, Ask, Counter, Level, Refusal, admit
from services.billing.spending.refusals import refusal_of
from services.billing.spending.token_caps import TokenCap
from services.billing.store.spenders import Place, Seen, Spender
from services.billing.store.spending import Covering, Kept

_DEPTH = {Level.EMPLOYEE: 0, Level.TEAM: 1, Level.ENTERPRISE: 2}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One request to reserve."""

    reservation_id: UUID
    request_hash: bytes
    account_id: UUID
    team_id: UUID | None
    model: str
    ask: Ask
    currency: str
    hold: timedelta
    procedure_id: UUID | None = None

    @property
    def resources(self) -> tuple[str, ...]:
        """What budgets that cover it may be for; empty for everything."""
        found = ("", f"model:{self.model}")
        return found if self.procedure_id is None else (*found, f"procedure:{self.procedure_id}")


Outcome = Kept | DomainError


class _Cover(NamedTuple):
    """What covers the spendings of one account and team for the same resources."""

    counters: Sequence[Counter]
    """Employee, teams from the nearest, enterprise, wallet."""
    budget_ids: Sequence[UUID]
    period_start_times: Sequence[datetime]
    """As reservations name the periods: of all but the wallet."""


@dataclass
class Batch:
    """The decisions of one batch, as far as they have come."""

    tenant_id: UUID
    now: datetime
    counters: dict[UUID, Counter] = field(default_factory=dict)
    covering: dict[UUID, Covering] = field(default_factory=dict)
    covers: dict[tuple[Place, Sequence[str]], _Cover] = field(default_factory=dict)
    wallet: Counter | None = None
    plan: PlanRule | None = None
    tokens: TokenCap | None = None
    changed: dict[UUID, Counter] = field(default_factory=dict)
    added: dict[UUID, Kept] = field(default_factory=dict)
    refused: dict[UUID, Refusal] = field(default_factory=dict)


def decide(batch: Batch, wanted: Wanted, seen: Seen) -> Outcome:
    """Decides one request, seeing what those before it in the batch took."""
    earlier = batch.added.get(wanted.reservation_id) or seen.known.get(wanted.reservation_id)
    if earlier is not None:
        if earlier.request_hash != wanted.request_hash:
            return ReservationConflict("Another request made a reservation with this id: choose a new id.")
        return earlier
    spender = seen.spenders.get((wanted.account_id, wanted.team_id))
    refusal = _may_spend(batch, wanted, spender)
    if refusal is not None or spender is None:
        return refusal or AccountNotFound("The account does not exist.", field="account_id")
    cover = _cover(batch, wanted, spender)
    no = admit(wanted.ask, cover.counters, batch.now)
    if no is not None:
        batch.refused.setdefault(no.counter.budget_id, no)
        return refusal_of(no)
    made = _reservation(batch, wanted, spender, cover)
    batch.added[made.id] = made
    if batch.tokens is not None:
        batch.tokens.take(made.id, wanted.ask.tokens)
    return made


def _may_spend(batch: Batch, wanted: Wanted, spender: Spender | None) -> DomainError | None:
    personal = wanted.account_id == batch.tenant_id
    if spender is None or (not personal and not spender.title):
        return AccountNotFound("The account does not exist.", field="account_id")
    if wanted.team_id is not None and (personal or not spender.companion or spender.archived):
        return TeamNotJoined("The holder of the account is not in this team.", field="team_id")
    refusal = batch.plan.refusal(wanted.model, batch.now) if batch.plan is not None else None
    if refusal is None and batch.tokens is not None:
        return batch.tokens.refusal(wanted.ask, batch.now)
    return refusal


def _cover(batch: Batch, wanted: Wanted, spender: Spender) -> _Cover:
    """Answers what covers the spending; the batch changes all of it, and looks for it once."""
    key = (wanted.account_id, wanted.team_id), wanted.resources
    found = batch.covers.get(key)
    if found is None:
        counters = _counters(batch, wanted, spender)
        batch.changed |= {each.budget_id: each for each in counters}
        kept = [each for each in counters if not each.wallet]
        found = _Cover(counters, [each.budget_id for each in kept], [each.start for each in kept])
        batch.covers[key] = found
    return found


def _counters(batch: Batch, wanted: Wanted, spender: Spender) -> list[Counter]:
    line = set(spender.line)
    found = [
        batch.counters[each.id]
        for each in batch.covering.values()
        if (each.team_id is None or each.team_id in line)
        and (each.employee_id is None or each.employee_id == spender.employee_id)
        and each.resource in wanted.resources
    ]
    places = {team_id: place for place, team_id in enumerate(spender.line)}
    found.sort(
        key=lambda each: (_DEPTH[each.level], places.get(each.team_id or each.tenant_id, 0), each.budget_id)
    )
    return found if batch.wallet is None else [*found, batch.wallet]


def _reservation(batch: Batch, wanted: Wanted, spender: Spender, cover: _Cover) -> Kept:
    return Kept(
        tenant_id=batch.tenant_id,
        id=wanted.reservation_id,
        request_hash=wanted.request_hash,
        state=ReservationState.HELD,
        amount=wanted.ask.amount,
        settled_amount=ZERO,
        currency=wanted.currency,
        account_id=wanted.account_id,
        member_id=spender.member_id,
        employee_id=spender.employee_id,
        team_id=wanted.team_id,
        ancestor_team_ids=spender.line[1:],
        title=spender.title,
        role=spender.role,
        model=wanted.model,
        budget_ids=cover.budget_ids,
        period_start_times=cover.period_start_times,
        wallet_held=batch.wallet is not None,
        expire_time=batch.now + wanted.hold,
        create_time=batch.now,
        end_time=None,
    )
