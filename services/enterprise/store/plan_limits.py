"""The queries on what a plan limits, and on how much of it there is."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ScalarSelect, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute

from services.enterprise.models import Employee, Invitation, InvitationState, PlanLimit, Team
from services.enterprise.store.rows import Rows


class Room(NamedTuple):
    """How many a plan allows, and how many there are; both 0 without a limit."""

    most: int
    used: int


class PlanLimits(Rows):
    """What the plan of the enterprise limits. Behind the enterprise's lock it stays as it is counted."""

    async def note(self, employees: int, teams: int, start_time: datetime, version: int) -> None:
        """Notes what billing told, unless something newer was told."""
        values = {"employees": employees, "teams": teams, "start_time": start_time, "version": version}
        newer = tuple_(PlanLimit.start_time, PlanLimit.version) < tuple_(start_time, version)
        statement = insert(PlanLimit).values(tenant_id=self._tenant_id, **values)
        await self._session.execute(
            statement.on_conflict_do_update(index_elements=["tenant_id"], set_=values, where=newer)
        )

    async def employees(self) -> Room:
        """Answers how many are employed."""
        return await self._room(PlanLimit.employees, self._employed())

    async def expected(self) -> Room:
        """Answers how many are employed or have an open invitation."""
        invited = select(func.count()).where(
            Invitation.tenant_id == self._tenant_id,
            Invitation.state == InvitationState.OPEN,
            Invitation.expire_time > self._tx.now,
        )
        employed = self._employed()
        return await self._room(PlanLimit.employees, employed, invited.scalar_subquery())

    async def teams(self) -> Room:
        """Answers how many teams are live."""
        live = select(func.count()).where(Team.tenant_id == self._tenant_id, Team.archive_time.is_(None))
        return await self._room(PlanLimit.teams, live.scalar_subquery())

    def _employed(self) -> ScalarSelect[int]:
        employed = select(func.count()).where(Employee.tenant_id == self._tenant_id, Employee.title > 0)
        return employed.scalar_subquery()

    async def _room(self, most: InstrumentedAttribute[int], *counts: ScalarSelect[int]) -> Room:
        """Counts in the statement that reads the limit, and only where there is one."""
        query = select(most, *counts).where(PlanLimit.tenant_id == self._tenant_id, most > 0)
        row = (await self._session.execute(query)).one_or_none()
        return Room(row[0], sum(row[1:])) if row is not None else Room(0, 0)
