"""The queries on budgets, bound to one tenant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.elements import ColumnElement

from chassis.database import Snapshot
from services.billing.errors import EnterpriseUnknown
from services.billing.models import (
    Budget,
    BudgetChange,
    BudgetNotice,
    BudgetPeriodRow,
    KnownCurrency,
    KnownEmployee,
    KnownTeam,
    Ledger,
    TeamPath,
    Usage,
    UsageCorrection,
)


class Budgets:
    """The budgets of a tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._tx = tx
        self._session = tx.session
        self._tenant_id = tenant_id

    async def lock_tenant(self) -> str:
        """Makes other changes of budgets and the rating of usages wait; answers the tenant's currency.

        So that a budget that begins in the middle of a period counts each usage once: before it, or after.
        """
        known = select(KnownCurrency.currency).where(KnownCurrency.tenant_id == self._tenant_id)
        currency = await self._session.scalar(known)
        if currency is None:
            raise EnterpriseUnknown("The enterprise is not known yet.", retry_after=1)
        row = insert(Ledger).values(tenant_id=self._tenant_id, currency=currency, last_sequence=0)
        await self._session.execute(row.on_conflict_do_nothing())
        query = select(Ledger.currency).where(Ledger.tenant_id == self._tenant_id).with_for_update()
        return (await self._session.scalars(query)).one()

    async def get(self, budget_id: UUID) -> Budget | None:
        """Answers the budget."""
        return await self._session.get(Budget, (self._tenant_id, budget_id))

    async def insert(self, row: Budget) -> bool:
        """Adds a budget; False if its target has one for the resource and period."""
        values = {each.name: getattr(row, each.name) for each in Budget.__table__.columns}
        added = insert(Budget).values(values).on_conflict_do_nothing().returning(Budget.id)
        return await self._session.scalar(added) is not None

    async def page(
        self, team_id: UUID | None, employee_id: UUID | None, after: UUID | None, size: int
    ) -> Sequence[Budget]:
        """Answers budgets that hold, as they were set: all, or those of a team with the teams below."""
        query = select(Budget).where(Budget.tenant_id == self._tenant_id, Budget.archive_time.is_(None))
        if team_id is not None:
            query = query.where(Budget.team_id.in_(self._subtree(team_id)))
        if employee_id is not None:
            query = query.where(Budget.employee_id == employee_id)
        if after is not None:
            query = query.where(Budget.id > after)
        return (await self._session.scalars(query.order_by(Budget.id).limit(size))).all()

    async def like(self, budget: Budget) -> Sequence[Budget]:
        """Answers the team and enterprise budgets of the same resource and period that hold."""
        query = select(Budget).where(
            Budget.tenant_id == self._tenant_id,
            Budget.archive_time.is_(None),
            Budget.employee_id.is_(None),
            Budget.resource == budget.resource,
            Budget.period == budget.period,
        )
        return (await self._session.scalars(query)).all()

    async def parents(self) -> dict[UUID, UUID | None]:
        """Answers the team above each team."""
        query = select(KnownTeam.team_id, KnownTeam.parent_team_id).where(
            KnownTeam.tenant_id == self._tenant_id
        )
        return {row[0]: row[1] for row in await self._session.execute(query)}

    async def has_team(self, team_id: UUID) -> bool:
        """Whether the enterprise has the team, not archived."""
        row = await self._session.get(KnownTeam, (self._tenant_id, team_id))
        return row is not None and not row.archived

    async def has_employee(self, employee_id: UUID) -> bool:
        """Whether the enterprise employs them."""
        row = await self._session.get(KnownEmployee, (self._tenant_id, employee_id))
        return row is not None and row.title > 0

    async def spent(self, budget: Budget, start: datetime) -> Decimal:
        """Sums what was rated of the budget's target and resource from this moment on, as it is corrected."""
        covered = [Usage.tenant_id == self._tenant_id, Usage.use_time >= start]
        if budget.employee_id is not None:
            covered.append(Usage.employee_id == budget.employee_id)
        if budget.team_id is not None:
            within = select(TeamPath.id).where(
                TeamPath.tenant_id == self._tenant_id, TeamPath.team_ids.any_() == budget.team_id
            )
            covered.append(Usage.path_id.in_(within))
        kind, _, name = budget.resource.partition(":")
        if kind == "procedure":
            covered.append(Usage.procedure_id == UUID(name))
        elif kind:
            covered.append(Usage.model == name)
        entry = UsageCorrection
        of_usage = (entry.tenant_id == Usage.tenant_id) & (entry.history_id == Usage.history_id)
        rated = await self._session.scalar(select(func.sum(Usage.charge)).where(*covered))
        corrected = select(func.sum(entry.charge)).join(Usage, of_usage).where(*covered)
        return (rated or Decimal(0)) + (await self._session.scalar(corrected) or Decimal(0))

    async def changes(self, budget_id: UUID, before: int | None, size: int) -> Sequence[BudgetChange]:
        """Answers the changes of a budget before this one, the newest first."""
        query = select(BudgetChange).where(
            BudgetChange.tenant_id == self._tenant_id, BudgetChange.budget_id == budget_id
        )
        if before is not None:
            query = query.where(BudgetChange.sequence < before)
        return (await self._session.scalars(query.order_by(BudgetChange.sequence.desc()).limit(size))).all()

    def _subtree(self, team_id: UUID) -> ColumnElement[UUID]:
        top = (
            select(KnownTeam.team_id)
            .where(KnownTeam.tenant_id == self._tenant_id, KnownTeam.team_id == team_id)
            .cte("subtree", recursive=True)
        )
        below = select(KnownTeam.team_id).where(
            KnownTeam.tenant_id == self._tenant_id, KnownTeam.parent_team_id == top.c.team_id
        )
        return select(top.union(below).c.team_id).scalar_subquery()


class Periods:
    """The periods of a tenant's budgets."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def running(self, budget_ids: Iterable[UUID], now: datetime) -> dict[UUID, BudgetPeriodRow]:
        """Answers the period of each budget that runs now, if it has begun."""
        row = BudgetPeriodRow
        query = select(row).where(
            row.tenant_id == self._tenant_id,
            row.budget_id.in_(list(budget_ids)),
            row.start_time <= now,
            or_(row.end_time.is_(None), row.end_time > now),
        )
        return {each.budget_id: each for each in await self._session.scalars(query)}

    async def lock(self, budget_id: UUID, now: datetime) -> BudgetPeriodRow | None:
        """Answers the running period, locked against admissions and settlements."""
        row = BudgetPeriodRow
        query = select(row).where(
            row.tenant_id == self._tenant_id,
            row.budget_id == budget_id,
            row.start_time <= now,
            or_(row.end_time.is_(None), row.end_time > now),
        )
        return (await self._session.scalars(query.with_for_update())).one_or_none()

    async def notice(self, budget_id: UUID, start: datetime, threshold: Decimal, now: datetime) -> bool:
        """Notes that something is told; False if it was told in this period before."""
        values = {
            "tenant_id": self._tenant_id,
            "budget_id": budget_id,
            "start_time": start,
            "threshold": threshold,
            "create_time": now,
        }
        told = insert(BudgetNotice).values(values).on_conflict_do_nothing().returning(BudgetNotice.threshold)
        return await self._session.scalar(told) is not None
