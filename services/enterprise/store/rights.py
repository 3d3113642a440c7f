"""The queries on what an account may do."""

from __future__ import annotations

from uuid import UUID

from chassis.call import Access, TeamPlace
from services.enterprise import tree
from services.enterprise.store.rows import Rows


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
        parameters = self._walk_from([] if team_id is None else [team_id]) | subject | {"now": self._tx.now}
        row = await (await driver.execute(statement, parameters)).fetchone()
        if row is None:
            return None
        employee_id, member_id, title, duties, team_ids, held, line, readable, good_for = row
        roles = dict(zip(team_ids or (), held or (), strict=True))
        return Access(
            self._tenant_id,
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
