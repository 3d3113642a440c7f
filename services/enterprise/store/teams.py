"""The queries on teams and their companions."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from services.enterprise import tree
from services.enterprise.models import Companion, Team
from services.enterprise.store.rows import Rows


class Teams(Rows):
    """The teams of the enterprise."""

    async def get(self, team_id: UUID) -> Team | None:
        """Answers the team."""
        return await self._session.get(Team, (self._tenant_id, team_id))

    async def page(self, after: UUID | None, size: int, parent_team_id: UUID | None) -> Sequence[Team]:
        """Answers the teams with greater ids, only the direct sub-teams of one if it is named."""
        wanted = select(Team).where(Team.tenant_id == self._tenant_id)
        if parent_team_id is not None:
            wanted = wanted.where(Team.parent_team_id == parent_team_id)
        if after is not None:
            wanted = wanted.where(Team.id > after)
        return (await self._session.scalars(wanted.order_by(Team.id).limit(size))).all()

    async def lines(self, team_ids: Sequence[UUID]) -> dict[UUID, tuple[UUID, ...]]:
        """Answers for each of these teams itself and the teams above it, the nearest first."""
        driver = await self._tx.driver()
        found = await driver.execute(tree.LINES, self._walk_from(team_ids))
        return {row[0]: tuple(row[1]) for row in await found.fetchall()}


class Companions(Rows):
    """The employees in the teams."""

    async def get(self, team_id: UUID, employee_id: UUID) -> Companion | None:
        """Answers the employee in the team, with the role 0 if they are in it no more."""
        wanted = select(Companion).where(
            Companion.tenant_id == self._tenant_id,
            Companion.team_id == team_id,
            Companion.employee_id == employee_id,
        )
        return (await self._session.scalars(wanted)).one_or_none()

    async def page(self, team_id: UUID, after: UUID | None, size: int) -> Sequence[Companion]:
        """Answers the companions of the team with greater ids."""
        wanted = select(Companion).where(
            Companion.tenant_id == self._tenant_id, Companion.team_id == team_id, Companion.role > 0
        )
        if after is not None:
            wanted = wanted.where(Companion.id > after)
        return (await self._session.scalars(wanted.order_by(Companion.id).limit(size))).all()

    async def of_employee(self, employee_id: UUID) -> Sequence[Companion]:
        """Answers every team membership of the employee, in the order of ids."""
        wanted = select(Companion).where(
            Companion.tenant_id == self._tenant_id,
            Companion.employee_id == employee_id,
            Companion.role > 0,
        )
        return (await self._session.scalars(wanted.order_by(Companion.id))).all()
