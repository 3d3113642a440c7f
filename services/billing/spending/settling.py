"""Rated usages reach the budgets: those of a reservation where it was pinned, others where they belong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from chassis.database import Transaction
from services.billing.models import Budget
from services.billing.periods import Span, following, span
from services.billing.spending import notices, reservations, token_caps
from services.billing.spending.reservations import Moves
from services.billing.store.reservations import Place, Reservations
from services.billing.store.spending import Spending
from services.billing.usage.usages import RatedUsage

_HUNDRED = 100

Key = tuple[UUID, UUID]
"""Tenant and id, of a budget or of a reservation."""


async def settle(tx: Transaction, usages: Sequence[RatedUsage]) -> None:
    """Adds the costs to what is spent of every budget that covers them, and tells of thresholds reached."""
    moves = Moves()
    rest = await _settle_reserved(tx, usages, moves)
    await _spend(tx, rest, moves)
    await token_caps.count(tx, usages)
    spent = await Reservations(tx).move(moves.spent, moves.reserved, moves.held)
    await tell_thresholds(tx, moves.spent, spent)


async def tell_thresholds(
    tx: Transaction, moved: Mapping[Place, Decimal], spent: Mapping[Place, Decimal]
) -> None:
    """Tells of each threshold that was reached by what moved, once a period; `spent` is what is spent now."""
    added = {place: amount for place, amount in moved.items() if amount}
    budgets = await Reservations(tx).budgets({(place[0], place[1][0]) for place in added}) if added else {}
    for place, amount in added.items():
        tenant_id, (budget_id, start) = place
        budget = budgets[tenant_id, budget_id]
        if budget.archive_time is not None:
            continue
        after = spent[place]
        for threshold in budget.thresholds:
            mark = budget.amount * threshold / _HUNDRED
            if after - amount < mark <= after:
                await notices.reached(tx, budget, start, threshold)


async def _settle_reserved(
    tx: Transaction, usages: Sequence[RatedUsage], moves: Moves
) -> Sequence[RatedUsage]:
    """Settles reservations; answers the usages that name none, or one that there is not."""
    named = {(each.tenant_id, each.reservation_id) for each in usages if each.reservation_id is not None}
    if not named:
        return usages
    rows = await Reservations(tx).lock(named)
    costs: dict[Key, Decimal] = defaultdict(Decimal)
    rest = []
    for each in usages:
        if each.reservation_id is not None and (key := (each.tenant_id, each.reservation_id)) in rows:
            costs[key] += each.charge
        else:
            rest.append(each)
    reservations.settle(rows, costs, moves, tx.now)
    await tx.session.flush()
    return rest


async def _spend(tx: Transaction, usages: Iterable[RatedUsage], moves: Moves) -> None:
    """Adds usages to the periods around their use times, and begins those that have not begun."""
    priced = [each for each in usages if each.charge]
    if not priced:
        return
    queries = Reservations(tx)
    budgets = await queries.covering(
        {each.tenant_id for each in priced},
        {team_id for each in priced for team_id in each.line},
        {each.employee_id for each in priced if each.employee_id is not None},
        {resource for each in priced for resource in each.resources},
    )
    if not budgets:
        return
    by_tenant: dict[UUID, list[Budget]] = defaultdict(list)
    for budget in budgets:
        by_tenant[budget.tenant_id].append(budget)
    times = sorted(each.use_time for each in priced)
    spans = await queries.spans([(each.tenant_id, each.id) for each in budgets], times[0], times[-1])
    calendar = _Calendar(spans, await queries.zones(by_tenant))
    for usage in priced:
        for budget in by_tenant[usage.tenant_id]:
            if _covers(budget, usage):
                key = (budget.id, calendar.around(budget, usage).start)
                moves.spend(usage.tenant_id, [key], usage.charge)
    for tenant_id, begun in calendar.begun.items():
        await Spending(tx, tenant_id).begin(begun, tx.now)


def _covers(budget: Budget, usage: RatedUsage) -> bool:
    return (
        (budget.team_id is None or budget.team_id in usage.line)
        and (budget.employee_id is None or budget.employee_id == usage.employee_id)
        and budget.resource in usage.resources
    )


class _Calendar:
    """Finds the period of a budget around a moment."""

    def __init__(self, spans: Mapping[Key, list[Span]], zones: Mapping[UUID, str]) -> None:
        self._spans = dict(spans)
        self._zones = zones
        self.begun: dict[UUID, list[tuple[UUID, Span]]] = defaultdict(list)
        """The periods that have no row yet, by tenant."""

    def around(self, budget: Budget, usage: RatedUsage) -> Span:
        """Answers the period, a new one where none has begun."""
        known = self._spans.setdefault((budget.tenant_id, budget.id), [])
        for each in known:
            if each.covers(usage.use_time):
                return each
        zone = ZoneInfo(self._zones.get(budget.tenant_id, "UTC"))
        made = span(budget.period, zone, usage.use_time)
        earlier = [each for each in known if each.start < made.start]
        if earlier:
            made = following(earlier[-1], made)
        known.append(made)
        known.sort(key=lambda each: each.start)
        self.begun[budget.tenant_id].append((budget.id, made))
        return made
