"""The queries on what an account may do."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.call import Access, TeamPlace
from chassis.database import Database, Scope
from services.enterprise.granting import Setting
from services.enterprise.store import tree
from services.enterprise.store.grants import about, split
from services.enterprise.store.rows import Rows, walk_from


class Rights(Rows):
    """What accounts are in the enterprise."""

    async def of(self, account_id: UUID, team_id: UUID | None = None) -> Access | None:
        """Answers whose the account is, and their place in the team if one is named, in one statement."""
        return await self._found(tree.ACCESS, {"account": account_id}, team_id)

    async def of_member(self, member_id: UUID, team_id: UUID | None = None) -> Access | None:
        """Answers who the member is, whichever account they act by."""
        return await self._found(tree.ACCESS_OF_MEMBER, {"member": member_id}, team_id)

    async def _found(self, statement: str, subject: dict[str, object], team_id: UUID | None) -> Access | None:
        driver = await self._tx.driver()
        values = _values(self._tenant_id, team_id, self._tx.now) | subject
        row = await (await driver.execute(statement.encode(), values)).fetchone()
        return None if row is None else _access(self._tenant_id, row)


async def rights_and_settings(
    database: Database,
    tenant_id: UUID,
    *,
    account_id: UUID,
    member_id: UUID | None,
    team_id: UUID | None,
    resource: str,
) -> tuple[Access, list[Setting], int] | None:
    """Answers who the member is, else whose the account is, and what bears on the resource: one round trip.

    What bears on it are the settings along the line of the team and above, and the default.
    """
    values = _values(tenant_id, team_id, database.clock.now()) | about(resource)
    if member_id is None:
        statement, values = tree.ACCESS_TO, values | {"account": account_id}
    else:
        statement, values = tree.ACCESS_TO_OF_MEMBER, values | {"member": member_id}
    rows = await database.read(Scope.of(tenant_id), statement, values)
    if not rows:
        return None
    *who, bearing = rows[0]
    found = [Setting(UUID(each[0]) if each[0] else None, *each[1:]) for each in bearing or ()]
    return _access(tenant_id, tuple(who)), *split(found)


def _values(tenant_id: UUID, team_id: UUID | None, now: datetime) -> dict[str, object]:
    return walk_from(tenant_id, [] if team_id is None else [team_id]) | {"now": now}


def _access(tenant_id: UUID, row: tuple[Any, ...]) -> Access:
    employee_id, member_id, title, duties, team_ids, held, line, readable, good_for = row
    roles = dict(zip(team_ids or (), held or (), strict=True))
    return Access(
        tenant_id,
        employee_id,
        member_id,
        title,
        roles,
        _place(line, roles),
        frozenset(duties),
        content_readable=readable,
        good_for=good_for,
    )


def _place(line: list[UUID] | None, roles: dict[UUID, int]) -> TeamPlace | None:
    """Answers the place of the first team of the line, which goes up to the top."""
    if not line:
        return None
    role = max(roles.get(team_id, 0) for team_id in line)
    return TeamPlace(line[0], tuple(line[1:]), role, companion=line[0] in roles)
