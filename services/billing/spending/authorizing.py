"""Authorizing a batch of spendings of one tenant, in one transaction.

All that wait for the same hot enterprise are decided behind one lock and one commit, each for itself and
in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from chassis.database import Database, Scope, Transaction
from chassis.errors import Aborted
from services.billing.periods import following, span
from services.billing.spending import notices, token_caps
from services.billing.spending.admission import ZERO
from services.billing.spending.counters import counter_of, wallet_counter
from services.billing.spending.deciding import Batch, Outcome, Wanted, decide
from services.billing.store.spenders import Look, Seen
from services.billing.store.spending import Covering, Key, Spending
from services.billing.store.token_counts import TokenCounts


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
        outcomes = [decide(batch, each, seen) for each in wanted]
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


async def _locked(tx: Transaction, queries: Spending, tenant_id: UUID, seen: Seen) -> Batch:
    """Locks the counters of every budget that may cover something of the batch."""
    batch = Batch(tenant_id, tx.now, plan=seen.plan)
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


async def _tell_refusals(tx: Transaction, batch: Batch) -> None:
    """Tells of the first refusal of a budget in a period, or of a wallet since credits last came, once."""
    for no in batch.refused.values():
        if no.counter.wallet:
            await notices.wallet_refused(tx, batch.tenant_id, max(no.counter.left, ZERO))
        elif not no.rate:
            await notices.refused(tx, batch.tenant_id, no.counter)
