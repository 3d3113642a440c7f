"""The queries on what directories have provisioned."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, func, select, true
from sqlalchemy.dialects.postgresql import insert

from services.enterprise.models import Companion, Employee, ScimGroup, ScimUser, Team
from services.enterprise.store.rows import Rows

UserRow = tuple[ScimUser, Employee]
GroupRow = tuple[ScimGroup, Team]


class ScimUsers(Rows):
    """The employees whom the directory knows, each with what it says of them."""

    async def get(self, employee_id: UUID) -> UserRow | None:
        """Answers the user."""
        found = (await self._session.execute(self._all(ScimUser.employee_id == employee_id))).one_or_none()
        return (found[0], found[1]) if found is not None else None

    async def page(self, where: ColumnElement[bool] | None, offset: int, size: int) -> Sequence[UserRow]:
        """Answers those of a page, in the order of employment."""
        wanted = self._all(where).order_by(Employee.sequence).offset(offset).limit(size)
        return [(said, what) for said, what in await self._session.execute(wanted)]

    async def count(self, where: ColumnElement[bool] | None) -> int:
        """Answers how many there are."""
        return await self._session.scalar(select(func.count()).select_from(self._all(where).subquery())) or 0

    async def named(self, user_name_hash: bytes) -> UUID | None:
        """Answers the employee who has this userName."""
        return await self._session.scalar(
            select(ScimUser.employee_id).where(
                ScimUser.tenant_id == self._tenant_id, ScimUser.user_name_hash == user_name_hash
            )
        )

    async def add(self, row: ScimUser) -> bool:
        """Adds the user; answers False if the employee is one already, or another has the userName."""
        values = {each.name: getattr(row, each.name) for each in ScimUser.__table__.columns}
        added = insert(ScimUser).values(values).on_conflict_do_nothing()
        return await self._session.scalar(added.returning(ScimUser.employee_id)) is not None

    async def remove(self, employee_id: UUID) -> None:
        """Forgets the user."""
        await self._session.execute(
            delete(ScimUser).where(ScimUser.tenant_id == self._tenant_id, ScimUser.employee_id == employee_id)
        )

    async def among(self, employee_ids: Sequence[UUID]) -> dict[UUID, Employee]:
        """Answers those of these employees who are users."""
        found = await self._session.execute(self._all(ScimUser.employee_id.in_(employee_ids)))
        return {employee.id: employee for _, employee in found}

    def _all(self, where: ColumnElement[bool] | None) -> Select[ScimUser, Employee]:
        return (
            select(ScimUser, Employee)
            .join(
                Employee,
                (Employee.tenant_id == ScimUser.tenant_id) & (Employee.id == ScimUser.employee_id),
            )
            .where(ScimUser.tenant_id == self._tenant_id, where if where is not None else true())
        )


class ScimGroups(Rows):
    """The live teams that the directory keeps."""

    async def get(self, team_id: UUID) -> GroupRow | None:
        """Answers the group."""
        found = (await self._session.execute(self._all(ScimGroup.team_id == team_id))).one_or_none()
        return (found[0], found[1]) if found is not None else None

    async def page(self, where: ColumnElement[bool] | None, offset: int, size: int) -> Sequence[GroupRow]:
        """Answers those of a page, in the order of their making."""
        wanted = self._all(where).order_by(ScimGroup.create_time, Team.id).offset(offset).limit(size)
        return [(said, what) for said, what in await self._session.execute(wanted)]

    async def count(self, where: ColumnElement[bool] | None) -> int:
        """Answers how many there are."""
        return await self._session.scalar(select(func.count()).select_from(self._all(where).subquery())) or 0

    async def holder(self, external_id: str) -> UUID | None:
        """Answers the team that has this externalId, an archived one too."""
        return await self._session.scalar(
            select(ScimGroup.team_id).where(
                ScimGroup.tenant_id == self._tenant_id, ScimGroup.external_id == external_id
            )
        )

    async def release(self, external_id: str) -> None:
        """Forgets the group of this externalId if its team was archived."""
        archived = select(Team.id).where(Team.tenant_id == self._tenant_id, Team.archive_time.is_not(None))
        await self._session.execute(
            delete(ScimGroup).where(
                ScimGroup.tenant_id == self._tenant_id,
                ScimGroup.external_id == external_id,
                ScimGroup.team_id.in_(archived),
            )
        )

    async def unkept(self, name: str) -> Sequence[Team]:
        """Answers the live teams at the top of this name, in any case, that are no group; two at most."""
        kept = select(ScimGroup.team_id).where(ScimGroup.tenant_id == self._tenant_id)
        wanted = select(Team).where(
            Team.tenant_id == self._tenant_id,
            Team.parent_team_id.is_(None),
            Team.archive_time.is_(None),
            func.lower(Team.display_name) == name.lower(),
            Team.id.not_in(kept),
        )
        return (await self._session.scalars(wanted.order_by(Team.id).limit(2))).all()

    async def add(self, row: ScimGroup) -> bool:
        """Adds the group; answers False if another has the externalId."""
        values = {each.name: getattr(row, each.name) for each in ScimGroup.__table__.columns}
        added = insert(ScimGroup).values(values).on_conflict_do_nothing()
        return await self._session.scalar(added.returning(ScimGroup.team_id)) is not None

    async def remove(self, team_id: UUID) -> None:
        """Forgets the group."""
        await self._session.execute(
            delete(ScimGroup).where(ScimGroup.tenant_id == self._tenant_id, ScimGroup.team_id == team_id)
        )

    async def members(self, team_ids: Sequence[UUID]) -> Sequence[Companion]:
        """Answers the companions of these teams whom the directory knows, in the order of their ids."""
        wanted = (
            select(Companion)
            .join(
                ScimUser,
                (ScimUser.tenant_id == Companion.tenant_id) & (ScimUser.employee_id == Companion.employee_id),
            )
            .where(
                Companion.tenant_id == self._tenant_id, Companion.team_id.in_(team_ids), Companion.role > 0
            )
        )
        return (await self._session.scalars(wanted.order_by(Companion.employee_id))).all()

    def _all(self, where: ColumnElement[bool] | None) -> Select[ScimGroup, Team]:
        return (
            select(ScimGroup, Team)
            .join(Team, (Team.tenant_id == ScimGroup.tenant_id) & (Team.id == ScimGroup.team_id))
            .where(
                ScimGroup.tenant_id == self._tenant_id,
                Team.archive_time.is_(None),
                where if where is not None else true(),
            )
        )
