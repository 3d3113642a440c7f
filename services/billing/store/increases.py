"""The queries on requests for more budget and on approved extras, bound to one tenant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot
from services.billing.models import BudgetExtra, BudgetIncrease
from services.billing.spending.admission import ZERO


class Increases:
    """The requests of a tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def insert(self, row: BudgetIncrease) -> bool:
        """Adds a request; False if the employee has an open one for the budget."""
        values = {each.name: getattr(row, each.name) for each in BudgetIncrease.__table__.columns}
        added = insert(BudgetIncrease).values(values).on_conflict_do_nothing().returning(BudgetIncrease.id)
        return await self._session.scalar(added) is not None

    async def get(self, increase_id: UUID, *, lock: bool = False) -> BudgetIncrease | None:
        """Answers the request, locked if it is to be decided."""
        return await self._session.get(
            BudgetIncrease, (self._tenant_id, increase_id), with_for_update=True if lock else None
        )

    async def page(
        self, budget_id: UUID | None, employee_id: UUID | None, state: int, before: UUID | None, size: int
    ) -> Sequence[BudgetIncrease]:
        """Answers requests, the newest first: of a budget, an employee, in a state, where these are named."""
        row = BudgetIncrease
        query = select(row).where(row.tenant_id == self._tenant_id)
        if budget_id is not None:
            query = query.where(row.budget_id == budget_id)
        if employee_id is not None:
            query = query.where(row.employee_id == employee_id)
        if state:
            query = query.where(row.state == state)
        if before is not None:
            query = query.where(row.id < before)
        return (await self._session.scalars(query.order_by(row.id.desc()).limit(size))).all()


class Extras:
    """The approved extras of a tenant's budgets."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def lasting(self, budget_ids: Iterable[UUID], now: datetime) -> Sequence[BudgetExtra]:
        """Answers the extras of these budgets that have not ended."""
        row = BudgetExtra
        query = select(row).where(
            row.tenant_id == self._tenant_id,
            row.budget_id.in_(list(budget_ids)),
            row.start_time <= now,
            row.end_time > now,
        )
        return (await self._session.scalars(query)).all()

    async def added(self, budget_ids: Iterable[UUID], now: datetime) -> dict[UUID, Decimal]:
        """Answers what is added to budgets now."""
        sums: dict[UUID, Decimal] = {}
        for extra in await self.lasting(budget_ids, now):
            sums[extra.budget_id] = sums.get(extra.budget_id, ZERO) + extra.amount
        return sums

    async def of(self, budget_id: UUID, now: datetime) -> Decimal:
        """Answers what is added to a budget now."""
        return (await self.added([budget_id], now)).get(budget_id, ZERO)
