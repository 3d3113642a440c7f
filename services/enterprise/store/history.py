"""The queries on the past: of each thing the newest record that is not later than the moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from services.enterprise.store.rows import Rows

_TEAMS = """
SELECT team_id, parent_team_id, display_name FROM (
    SELECT DISTINCT ON (team_id) team_id, parent_team_id, display_name, archived FROM wrtn_team_changes
    WHERE tenant_id = %(tenant)s AND create_time <= %(at)s
        AND (%(after)s::uuid IS NULL OR team_id > %(after)s::uuid)
    ORDER BY team_id, sequence DESC
) AS newest WHERE NOT archived ORDER BY team_id LIMIT %(size)s
"""
_CHIEFS = """
SELECT team_id, array_agg(employee_id ORDER BY employee_id) FROM (
    SELECT DISTINCT ON (team_id, employee_id) team_id, employee_id, role_after FROM wrtn_appointments
    WHERE tenant_id = %(tenant)s AND team_id = ANY (%(teams)s) AND create_time <= %(at)s
        AND absent_employee_id IS NULL
    ORDER BY team_id, employee_id, sequence DESC
) AS newest WHERE role_after = 3 GROUP BY team_id
"""
# One row a person and, of deputies, absent one: a person's own role comes first, under no absent one.
_COMPANIONS = """
SELECT employee_id, role_after, absent_employee_id, until_time FROM (
    SELECT DISTINCT ON (employee_id, absent_employee_id) employee_id, absent_employee_id, role_after,
        until_time
    FROM wrtn_appointments WHERE tenant_id = %(tenant)s AND team_id = %(team)s AND create_time <= %(at)s
    ORDER BY employee_id, absent_employee_id, sequence DESC
) AS newest
WHERE role_after >= greatest(%(role)s::int, 1) AND (absent_employee_id IS NULL OR until_time > %(at)s)
    AND (%(after)s::uuid IS NULL
         OR (employee_id, coalesce(absent_employee_id, %(none)s::uuid))
             > (%(after)s::uuid, %(after_absent)s::uuid))
ORDER BY employee_id, coalesce(absent_employee_id, %(none)s::uuid) LIMIT %(size)s
"""
_ROLES = """
SELECT team_id, title_after, role_after, absent_employee_id, until_time FROM (
    SELECT DISTINCT ON (team_id, absent_employee_id) team_id, title_after, role_after, absent_employee_id,
        until_time
    FROM wrtn_appointments
    WHERE tenant_id = %(tenant)s AND employee_id = %(employee)s AND create_time <= %(at)s
        AND (team_id IS NOT NULL OR absent_employee_id IS NOT NULL)
    ORDER BY team_id, absent_employee_id, sequence DESC
) AS newest
WHERE (title_after > 0 OR role_after > 0) AND (absent_employee_id IS NULL OR until_time > %(at)s)
ORDER BY team_id, absent_employee_id
"""
_TITLE = """
SELECT title_after FROM wrtn_appointments
WHERE tenant_id = %(tenant)s AND employee_id = %(employee)s AND create_time <= %(at)s AND team_id IS NULL
    AND absent_employee_id IS NULL AND title_before <> title_after
ORDER BY sequence DESC LIMIT 1
"""
_DUTIES = """
SELECT duties_after FROM wrtn_appointments
WHERE tenant_id = %(tenant)s AND employee_id = %(employee)s AND create_time <= %(at)s
    AND duties_before <> duties_after
ORDER BY sequence DESC LIMIT 1
"""
_CHANGES = """
SELECT * FROM (
    SELECT sequence, team_id, kind, parent_team_id, lag(parent_team_id) OVER earlier, display_name,
        lag(display_name) OVER earlier, decider_employee_id, decider_credential_id, create_time
    FROM wrtn_team_changes WHERE tenant_id = %(tenant)s AND team_id = %(team)s
    WINDOW earlier AS (ORDER BY sequence)
) AS change WHERE %(before)s::bigint IS NULL OR sequence < %(before)s ORDER BY sequence DESC LIMIT %(size)s
"""
_NOBODY = UUID(int=0)


class TeamThen(NamedTuple):
    """A team at a moment."""

    team_id: UUID
    parent_team_id: UUID | None
    display_name: str


class RoleThen(NamedTuple):
    """What an employee was in a team at a moment, by themself or for an absent one."""

    employee_id: UUID
    role: int
    absent_id: UUID | None
    until: datetime | None


class RightThen(NamedTuple):
    """A role, or the title of an absent one, that an employee had at a moment."""

    team_id: UUID | None
    title: int
    role: int
    absent_id: UUID | None
    until: datetime | None


class Change(NamedTuple):
    """A change of a team, with what was before."""

    sequence: int
    team_id: UUID
    kind: int
    parent_team_id: UUID | None
    old_parent_team_id: UUID | None
    display_name: str
    old_display_name: str | None
    decider_employee_id: UUID | None
    decider_credential_id: UUID | None
    create_time: datetime


class History(Rows):
    """The enterprise as it was at a moment."""

    async def teams(self, at: datetime, after: UUID | None, size: int) -> list[TeamThen]:
        """Answers the teams that were not archived, with greater ids."""
        rows = await self._fetch(_TEAMS, at=at, after=after, size=size)
        return [TeamThen(*row) for row in rows]

    async def chiefs(self, at: datetime, team_ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
        """Answers the chiefs of these teams, without deputies."""
        return dict(await self._fetch(_CHIEFS, at=at, teams=list(team_ids)))

    async def companions(
        self, at: datetime, team_id: UUID, role: int, after: tuple[UUID, UUID] | None, size: int
    ) -> list[RoleThen]:
        """Answers who had this role at least, after a place in the order of `key`."""
        first, second = after or (None, None)
        rows = await self._fetch(
            _COMPANIONS,
            at=at,
            team=team_id,
            role=role,
            after=first,
            after_absent=second,
            none=_NOBODY,
            size=size,
        )
        return [RoleThen(*row) for row in rows]

    async def rights(self, at: datetime, employee_id: UUID) -> list[RightThen]:
        """Answers the roles of the employee, and what they stood in for."""
        return [RightThen(*row) for row in await self._fetch(_ROLES, at=at, employee=employee_id)]

    async def title(self, at: datetime, employee_id: UUID) -> int:
        """Answers the title; 0 if they were not employed."""
        rows = await self._fetch(_TITLE, at=at, employee=employee_id)
        return int(rows[0][0]) if rows else 0

    async def duties(self, at: datetime, employee_id: UUID) -> list[int]:
        """Answers the duties."""
        rows = await self._fetch(_DUTIES, at=at, employee=employee_id)
        return list(rows[0][0]) if rows else []

    async def changes(self, team_id: UUID, before: int | None, size: int) -> list[Change]:
        """Answers the changes of a team before one, the newest first."""
        return [Change(*row) for row in await self._fetch(_CHANGES, team=team_id, before=before, size=size)]

    async def _fetch(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        driver = await self._tx.driver()
        found = await driver.execute(statement.encode(), {"tenant": self._tenant_id, **values})
        return await found.fetchall()


def key(row: RoleThen) -> tuple[UUID, UUID]:
    """Answers the place of a companion in the order of `companions`."""
    return row.employee_id, row.absent_id or _NOBODY
