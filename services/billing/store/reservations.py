"""The queries on reservations that end, over several tenants at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Text, Uuid, any_, or_, select, tuple_

from chassis.database import Snapshot, arrays
from services.billing.models import (
    Budget,
    BudgetPeriodRow,
    KnownEnterprise,
    Reservation,
    ReservationState,
)
from services.billing.periods import Span
from services.billing.store.spending import Covering, Key

_MOVE = """
UPDATE wrtn_budget_periods AS kept SET spent = kept.spent + new.spent, reserved = kept.reserved + new.reserved
FROM unnest(%(tenant_id)s::uuid[], %(budget_id)s::uuid[], %(start_time)s::timestamptz[], %(spent)s::numeric[],
            %(reserved)s::numeric[]) AS new (tenant_id, budget_id, start_time, spent, reserved)
WHERE (kept.tenant_id, kept.budget_id, kept.start_time) = (new.tenant_id, new.budget_id, new.start_time)
RETURNING kept.tenant_id, kept.budget_id, kept.start_time, kept.spent
"""
# An UPDATE locks in whatever order it finds the rows; this one locks them by key, as all others do.
_LOCK = """
SELECT 1 FROM wrtn_budget_periods WHERE (tenant_id, budget_id, start_time) IN (
    SELECT * FROM unnest(%(tenant_id)s::uuid[], %(budget_id)s::uuid[], %(start_time)s::timestamptz[]))
ORDER BY tenant_id, budget_id, start_time
FOR UPDATE
"""
_MOVE_HOLDS = """
WITH locked AS (
    SELECT tenant_id FROM wrtn_wallet_holds WHERE tenant_id = ANY (%(tenant_id)s::uuid[])
    ORDER BY tenant_id FOR UPDATE
)
UPDATE wrtn_wallet_holds AS hold SET reserved = hold.reserved + new.amount
FROM locked JOIN unnest(%(tenant_id)s::uuid[], %(amount)s::numeric[]) AS new (tenant_id, amount)
    USING (tenant_id)
WHERE hold.tenant_id = new.tenant_id
"""
# A usage was spent where its reservation was pinned; else around its time, of the budgets that covered it.
# A budget that was set later began with all that was used in its period.
_CORRECTED = """
WITH wrong AS (
    SELECT usage.*, entry.charge AS difference
    FROM wrtn_usage_corrections AS entry JOIN wrtn_usages AS usage USING (tenant_id, history_id)
    WHERE entry.tenant_id = %(tenant)s AND entry.correction_id = %(correction)s AND entry.charge <> 0
),
pinned AS (
    SELECT held.id, place.*
    FROM wrtn_reservations AS held
    CROSS JOIN LATERAL unnest(budget_ids, period_start_times) AS place (budget_id, start_time)
    WHERE held.tenant_id = %(tenant)s AND held.id IN (SELECT reservation_id FROM wrong)
),
places AS (
    SELECT budget_id, start_time, difference FROM wrong JOIN pinned ON pinned.id = wrong.reservation_id
    UNION ALL
    SELECT period.budget_id, period.start_time, difference
    FROM wrong
    JOIN wrtn_budgets AS budget ON budget.tenant_id = wrong.tenant_id
        AND (budget.archive_time IS NULL OR budget.archive_time > wrong.create_time)
        AND (budget.team_id IS NULL OR budget.team_id = ANY (wrong.team_id || wrong.ancestor_team_ids))
        AND (budget.employee_id IS NULL OR budget.employee_id = wrong.employee_id)
        AND budget.resource IN ('', 'model:' || wrong.model, 'procedure:' || wrong.procedure_id)
    JOIN wrtn_budget_periods AS period ON period.tenant_id = budget.tenant_id AND period.budget_id = budget.id
        AND period.start_time <= wrong.use_time
        AND (period.end_time IS NULL OR period.end_time > wrong.use_time)
    WHERE budget.create_time > wrong.create_time
        OR NOT EXISTS (SELECT FROM pinned WHERE pinned.id = wrong.reservation_id)
)
SELECT budget_id, start_time, sum(difference) FROM places GROUP BY budget_id, start_time
"""
_NAMES = ("tenant_id", "budget_id", "start_time", "spent", "reserved")

_LONGEST = timedelta(days=32)
"""Longer than any period that ends."""

Place = tuple[UUID, Key]
"""A tenant and a period."""


async def tenants_holding(tx: Snapshot, before: datetime) -> Sequence[UUID]:
    """Answers the tenants that hold reservations past this time. For the worker role, which sees no more."""
    query = select(Reservation.tenant_id).where(
        Reservation.state == ReservationState.HELD, Reservation.expire_time < before
    )
    return (await tx.session.scalars(query.distinct())).all()


class Reservations:
    """Reservations, and the periods in which they are held."""

    def __init__(self, tx: Snapshot) -> None:
        self._tx = tx
        self._session = tx.session

    async def lock_one(self, tenant_id: UUID, reservation_id: UUID) -> Reservation | None:
        """Answers the reservation, locked."""
        return await self._session.get(
            Reservation, (tenant_id, reservation_id), with_for_update=True, populate_existing=True
        )

    async def lock(self, keys: Iterable[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], Reservation]:
        """Answers those reservations that there are, by tenant and id, locked in the order of their keys."""
        query = (
            select(Reservation)
            .where(tuple_(Reservation.tenant_id, Reservation.id).in_(arrays.id_pairs(keys)))
            .order_by(Reservation.tenant_id, Reservation.id)
            .with_for_update()
        )
        return {(each.tenant_id, each.id): each for each in await self._session.scalars(query)}

    async def lock_expired(self, tenant_id: UUID, before: datetime, most: int) -> Sequence[Reservation]:
        """Answers reservations held past this time, locked; those that others have locked are passed over."""
        query = (
            select(Reservation)
            .where(
                Reservation.tenant_id == tenant_id,
                Reservation.state == ReservationState.HELD,
                Reservation.expire_time < before,
            )
            .order_by(Reservation.id)
            .limit(most)
            .with_for_update(skip_locked=True)
        )
        return (await self._session.scalars(query)).all()

    async def targets(self, tenant_id: UUID, budget_ids: Sequence[UUID]) -> list[Covering]:
        """Answers whom these budgets limit."""
        query = select(Budget).where(Budget.tenant_id == tenant_id, Budget.id.in_(budget_ids))
        return [
            Covering(each.id, each.team_id, each.employee_id, each.resource, each.period, None)
            for each in await self._session.scalars(query)
        ]

    async def move(
        self,
        spent: Mapping[Place, Decimal],
        reserved: Mapping[Place, Decimal],
        held: Mapping[UUID, Decimal],
    ) -> dict[Place, Decimal]:
        """Adds to what is spent and reserved, and held of wallets; answers what is spent after it."""
        if held:
            values = arrays.by_column(("tenant_id", "amount"), sorted(held.items()))
            await (await self._tx.driver()).execute(_MOVE_HOLDS, values)
        places = sorted({*spent, *reserved})
        if not places:
            return {}
        zero = Decimal(0)
        rows = [
            (tenant_id, *key, spent.get((tenant_id, key), zero), reserved.get((tenant_id, key), zero))
            for tenant_id, key in places
        ]
        values = arrays.by_column(_NAMES, rows)
        driver = await self._tx.driver()
        await driver.execute(_LOCK, values)
        cursor = await driver.execute(_MOVE, values)
        return {(row[0], (row[1], row[2])): row[3] for row in await cursor.fetchall()}

    async def corrected(self, tenant_id: UUID, correction_id: UUID) -> dict[Place, Decimal]:
        """Answers by how much a correction changes what is spent in each period."""
        values = {"tenant": tenant_id, "correction": correction_id}
        cursor = await (await self._tx.driver()).execute(_CORRECTED, values)
        return {(tenant_id, (row[0], row[1])): row[2] for row in await cursor.fetchall()}

    async def covering(
        self,
        tenants: Iterable[UUID],
        teams: Iterable[UUID],
        employees: Iterable[UUID],
        resources: Iterable[str],
    ) -> list[Budget]:
        """Answers the budgets that may cover usages of these tenants, teams, employees and resources."""
        query = select(Budget).where(
            Budget.tenant_id == any_(arrays.parameter(tenants, Uuid())),
            Budget.archive_time.is_(None),
            or_(Budget.team_id.is_(None), Budget.team_id == any_(arrays.parameter(teams, Uuid()))),
            or_(
                Budget.employee_id.is_(None), Budget.employee_id == any_(arrays.parameter(employees, Uuid()))
            ),
            Budget.resource == any_(arrays.parameter(resources, Text())),
        )
        return list(await self._session.scalars(query))

    async def budgets(self, keys: Iterable[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], Budget]:
        """Answers budgets by tenant and id."""
        query = select(Budget).where(tuple_(Budget.tenant_id, Budget.id).in_(arrays.id_pairs(keys)))
        return {(each.tenant_id, each.id): each for each in await self._session.scalars(query)}

    async def spans(
        self, keys: Iterable[tuple[UUID, UUID]], first: datetime, last: datetime
    ) -> dict[tuple[UUID, UUID], list[Span]]:
        """Answers the periods that touch this stretch of time, and those before them, the oldest first."""
        row = BudgetPeriodRow
        query = (
            select(row.tenant_id, row.budget_id, row.start_time, row.end_time)
            .where(
                tuple_(row.tenant_id, row.budget_id).in_(arrays.id_pairs(keys)),
                row.start_time <= last,
                or_(row.end_time.is_(None), row.end_time > first - _LONGEST),
            )
            .order_by(row.start_time)
        )
        found: dict[tuple[UUID, UUID], list[Span]] = {}
        for tenant_id, budget_id, start, end in await self._session.execute(query):
            found.setdefault((tenant_id, budget_id), []).append(Span(start, end))
        return found

    async def zones(self, tenants: Iterable[UUID]) -> dict[UUID, str]:
        """Answers the time zones of those enterprises that are known."""
        row = KnownEnterprise
        query = select(row.tenant_id, row.time_zone).where(
            row.tenant_id == any_(arrays.parameter(tenants, Uuid()))
        )
        return {found[0]: found[1] for found in await self._session.execute(query)}
