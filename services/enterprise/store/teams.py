"""The queries on teams and their companions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, func, select, tuple_

from services.enterprise.models import Companion, Team
from services.enterprise.store import tree
from services.enterprise.store.rows import Rows

_COPIED = ("parent_team_id", "display_name", "create_time", "rank", "version", "archive_time")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the tree: under a parent, or at the top."""

    parent_id: UUID | None
    line: tuple[UUID, ...]
    """The teams above, the parent first; none at the top, and if there is no such parent."""
    archived: bool
    """Whether the parent is."""
    siblings: Sequence[tuple[UUID, int]]
    """The live teams there, in their order, each with its rank."""


class Teams(Rows):
    """The teams of the enterprise."""

    async def get(self, team_id: UUID) -> Team | None:
        """Answers the team."""
        return await self._session.get(Team, (self._tenant_id, team_id))

    async def names(self, team_ids: Collection[UUID]) -> dict[UUID, str]:
        """Answers what those teams are called that there are, archived or not."""
        wanted = select(Team.id, Team.display_name).where(Team.tenant_id == self._tenant_id)
        rows = await self._session.execute(wanted.where(Team.id.in_(team_ids)))
        return {row.id: row.display_name for row in rows}

    async def page(self, after: UUID | None, size: int, *, archived: bool = False) -> Sequence[Team]:
        """Answers the teams of one state with greater ids."""
        wanted = self._of_state(archived)
        if after is not None:
            wanted = wanted.where(Team.id > after)
        return (await self._session.scalars(wanted.order_by(Team.id).limit(size))).all()

    async def children(
        self, parent_id: UUID | None, after: tuple[int, UUID] | None, size: int, *, archived: bool = False
    ) -> Sequence[Team]:
        """Answers the sub-teams of one, or the teams at the top, in their order after a place."""
        wanted = self._of_state(archived).where(Team.parent_team_id == parent_id)
        if after is not None:
            wanted = wanted.where(tuple_(Team.rank, Team.id) > after)
        return (await self._session.scalars(wanted.order_by(Team.rank, Team.id).limit(size))).all()

    async def named(self, parent_id: UUID | None, name: str) -> Sequence[UUID]:
        """Answers the live teams of this name under a parent, or at the top; two at most."""
        wanted = select(Team.id).where(
            Team.tenant_id == self._tenant_id,
            Team.parent_team_id == parent_id,
            Team.archive_time.is_(None),
            Team.display_name == name,
        )
        return (await self._session.scalars(wanted.order_by(Team.id).limit(2))).all()

    async def place(self, team_id: UUID, parent_id: UUID | None) -> tuple[Team | None, Place]:
        """Answers the team, and its place under a parent or at the top, in one statement.

        The team is a copy that no session keeps: changing it changes no row.
        """
        wanted = self._walk_from([] if parent_id is None else [parent_id])
        values = wanted | {"team": team_id, "parent": parent_id}
        row = await (await (await self._tx.driver()).execute(tree.PLACE.encode(), values)).fetchone()
        if row is None:
            return None, Place(parent_id, (), archived=False, siblings=())
        *columns, line, archived, ids, ranks = row
        copy = Team(tenant_id=self._tenant_id, id=team_id, **dict(zip(_COPIED, columns, strict=True)))
        siblings = list(zip(ids or (), ranks or (), strict=True))
        return copy, Place(parent_id, tuple(line or ()), archived, siblings)

    async def last_rank(self, parent_id: UUID | None) -> int:
        """Answers the greatest rank of the teams under a parent, or at the top; 0 if there are none."""
        wanted = select(func.max(Team.rank)).where(
            Team.tenant_id == self._tenant_id, Team.parent_team_id == parent_id
        )
        return await self._session.scalar(wanted) or 0

    async def number(self, team_ids: Sequence[UUID], gap: int) -> None:
        """Gives these teams ranks a gap apart, in this order. Nothing of it is a change of theirs."""
        await (await self._tx.driver()).execute(
            "UPDATE wrtn_teams SET rank = numbered.number * %s"
            " FROM unnest(%s::uuid[]) WITH ORDINALITY AS numbered (id, number)"
            " WHERE tenant_id = %s AND wrtn_teams.id = numbered.id",
            (gap, list(team_ids), self._tenant_id),
        )

    async def height(self, team_id: UUID) -> int:
        """Answers how many levels the team and those below it take."""
        values = {"tenant": self._tenant_id, "team": team_id, "deep": tree.MOST_DEEP}
        row = await (await (await self._tx.driver()).execute(tree.HEIGHT, values)).fetchone()
        return int(row[0]) if row is not None else 1

    async def lines(self, team_ids: Sequence[UUID]) -> dict[UUID, tuple[UUID, ...]]:
        """Answers for each of these teams itself and the teams above it, the nearest first."""
        driver = await self._tx.driver()
        found = await driver.execute(tree.LINES, self._walk_from(team_ids))
        return {row[0]: tuple(row[1]) for row in await found.fetchall()}

    def _of_state(self, archived: bool) -> Select[Team]:
        state = Team.archive_time.is_not(None) if archived else Team.archive_time.is_(None)
        return select(Team).where(Team.tenant_id == self._tenant_id, state)


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
