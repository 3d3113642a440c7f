"""Authorizing a batch of spendings of one tenant, in one transaction.

All that wait for the same hot enterprise are decided behind one lock and one commit, each for itself and
in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from chassis.database import Database, Scope, Transaction
from chassis.decimals import text
from chassis.errors import Aborted, DomainError
from services.billing.errors import (
    AccountNotFound,
    BudgetExceeded,
    RateExceeded,
    ReservationConflict,
    TeamNotJoined,
    WalletExceeded,
)
from services.billing.models import ReservationState
from services.billing.periods import BEGINNING, following, span
from services.billing.plans.plan_rules import PlanRule
from services.billing.spending import notices, token_caps
from services.billing.spending.admission import ZERO, Ask, Counter, Level, Refusal, admit
from services.billing.spending.token_caps import TokenCap
from services.billing.store.spenders import Look, Place, Seen, Spender
from services.billing.store.spending import (
    Covering,
    Held,
    Kept,
    Key,
    Purse,
    Spending,
    Terms,
)
from services.billing.store.token_counts import TokenCounts

_DEPTH = {Level.EMPLOYEE: 0, Level.TEAM: 1, Level.ENTERPRISE: 2}
_WALLET = "The credits in the wallet do not cover it: buy more."


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
class _Batch:
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


class Twin(Aborted):
    """Another replica made one of the reservations at the same moment: look again."""

    reason = "RESERVATION_TWIN"


async def authorize(db: Database, tenant_id: UUID, wanted: Sequence[Wanted]) -> list[Outcome]:
    """Decides each request; answers reservations and refusals in their order, when they are durable.

    Raises Twin, having changed nothing, if another replica made one of them meanwhile.
    """
    look = Look(
        tenant_id,
        [each.reservation_id for each in wanted],
        ((each.account_id, each.team_id) for each in wanted),
        {resource for each in wanted for resource in each.resources},
        db.clock.now(),
    )
    async with db.transaction(Scope.of(tenant_id), first=look.ask) as tx:
        queries, seen = Spending(tx, tenant_id), await look.seen()
        tokens = await token_caps.locked(tx, tenant_id, seen.plan)
        batch = await _locked(tx, queries, tenant_id, seen)
        batch.tokens = tokens
        outcomes = [_decide(batch, each, seen) for each in wanted]
        changed, added = list(batch.changed.values()), list(batch.added.values())
        ends = not batch.refused and tokens is None
        if not await queries.keep(changed, added, tx.now, commit=ends):
            raise Twin("The reservation was made by another request just now.")
        if tokens is not None:
            await TokenCounts(tx, tenant_id).hold(tokens.taken)
            if tokens.refused:
                await notices.tokens_refused(tx, tenant_id, tokens)
        await _tell_refusals(tx, batch)
    return outcomes


async def _locked(tx: Transaction, queries: Spending, tenant_id: UUID, seen: Seen) -> _Batch:
    """Locks the counters of every budget that may cover something of the batch."""
    batch = _Batch(tenant_id, tx.now, plan=seen.plan)
    if not seen.covering and not seen.wallet:
        return batch
    keys = await _running(queries, seen.covering, tx.now)
    locked = await queries.lock(sorted(keys.values()), wallet=seen.wallet)
    batch.wallet = wallet_counter(tenant_id, locked.purse)
    batch.covering = {each.id: each for each in seen.covering if each.id in locked.terms}
    for each in batch.covering.values():
        key = keys[each.id]
        batch.counters[each.id] = counter_of(tenant_id, each, key, locked.held[key], locked.terms[each.id])
    return batch


async def _running(queries: Spending, found: Sequence[Covering], now: datetime) -> dict[UUID, Key]:
    """Answers the running period of each budget, and begins those that have not begun."""
    keys = {
        each.id: (each.id, each.latest.start) for each in found if each.latest and each.latest.covers(now)
    }
    missing = [each for each in found if each.id not in keys]
    if missing:
        zone = ZoneInfo(await queries.time_zone())
        begun = []
        for each in missing:
            next_span = span(each.period, zone, now)
            if each.latest is not None:
                next_span = following(each.latest, next_span)
            begun.append((each.id, next_span))
            keys[each.id] = (each.id, next_span.start)
        await queries.begin(begun, now)
    return keys


def counter_of(tenant_id: UUID, covering: Covering, key: Key, held: Held, terms: Terms) -> Counter:
    """Answers the counter of a locked period."""
    return Counter(
        budget_id=covering.id,
        tenant_id=tenant_id,
        team_id=covering.team_id,
        employee_id=covering.employee_id,
        limit=terms.amount,
        soft=terms.soft,
        requests_per_minute=terms.requests_per_minute,
        tokens_per_minute=terms.tokens_per_minute,
        start=key[1],
        end=held.end_time,
        spent=held.spent,
        reserved=held.reserved,
        requests=held.requests,
        tokens=held.tokens,
        drain_time=held.drain_time,
    )


def wallet_counter(tenant_id: UUID, purse: Purse | None) -> Counter | None:
    """Answers the counter of a locked wallet, if the tenant has one."""
    if purse is None:
        return None
    return Counter(
        budget_id=tenant_id,
        tenant_id=tenant_id,
        team_id=None,
        employee_id=None,
        limit=purse.credits,
        soft=not purse.prepaid,
        requests_per_minute=0,
        tokens_per_minute=0,
        start=BEGINNING,
        end=None,
        spent=ZERO,
        reserved=purse.reserved,
        wallet=True,
    )


def _decide(batch: _Batch, wanted: Wanted, seen: Seen) -> Outcome:
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


def _may_spend(batch: _Batch, wanted: Wanted, spender: Spender | None) -> DomainError | None:
    personal = wanted.account_id == batch.tenant_id
    if spender is None or (not personal and not spender.title):
        return AccountNotFound("The account does not exist.", field="account_id")
    if wanted.team_id is not None and (personal or not spender.companion or spender.archived):
        return TeamNotJoined("The holder of the account is not in this team.", field="team_id")
    refusal = batch.plan.refusal(wanted.model, batch.now) if batch.plan is not None else None
    if refusal is None and batch.tokens is not None:
        return batch.tokens.refusal(wanted.ask, batch.now)
    return refusal


def _cover(batch: _Batch, wanted: Wanted, spender: Spender) -> _Cover:
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


def _counters(batch: _Batch, wanted: Wanted, spender: Spender) -> list[Counter]:
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


def _reservation(batch: _Batch, wanted: Wanted, spender: Spender, cover: _Cover) -> Kept:
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


async def _tell_refusals(tx: Transaction, batch: _Batch) -> None:
    """Tells of the first refusal of a budget in a period, or of a wallet since credits last came, once."""
    for no in batch.refused.values():
        if no.counter.wallet:
            await notices.wallet_refused(tx, batch.tenant_id, max(no.counter.left, ZERO))
        elif not no.rate:
            await notices.refused(tx, batch.tenant_id, no.counter)
