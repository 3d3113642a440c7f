"""The queries on letters, and on who gets them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ARRAY, SmallInteger, Uuid, and_, any_, delete, func, literal, or_, select

from chassis.database import Snapshot
from services.enterprise.models import Companion, Employee, Letter
from services.enterprise.store.rows import Rows
from wrtn.access.v1.access_pb2 import DUTY_SECURITY, ROLE_MANAGER, TITLE_MANAGER, TITLE_OWNER


class Letters(Rows):
    """The letters of the enterprise that identity has not taken yet."""

    async def waiting(self, size: int) -> Sequence[Letter]:
        """Answers letters, the oldest first."""
        wanted = select(Letter).where(Letter.tenant_id == self._tenant_id)
        return (await self._session.scalars(wanted.order_by(Letter.create_time).limit(size))).all()

    async def remove(self, letter_id: UUID) -> None:
        """Takes the letter away; one that is gone stays gone."""
        gone = delete(Letter).where(Letter.tenant_id == self._tenant_id, Letter.id == letter_id)
        await self._session.execute(gone)


class Runners(Rows):
    """Those who run the enterprise or a team."""

    async def of_enterprise(self, size: int) -> Sequence[UUID]:
        """Answers the members who are owners and managers, the longest employed first."""
        wanted = (
            select(Employee.member_id)
            .where(Employee.tenant_id == self._tenant_id, Employee.title >= TITLE_MANAGER)
            .order_by(Employee.sequence)
        )
        return (await self._session.scalars(wanted.limit(size))).all()

    async def owners(self) -> Sequence[UUID]:
        """Answers the members who are owners."""
        wanted = select(Employee.member_id).where(
            Employee.tenant_id == self._tenant_id, Employee.title == TITLE_OWNER
        )
        return (await self._session.scalars(wanted)).all()

    async def security(self) -> Sequence[UUID]:
        """Answers the members who keep policies and audit: owners, and managers with the duty."""
        by_duty = and_(
            Employee.title == TITLE_MANAGER, literal(DUTY_SECURITY, SmallInteger) == any_(Employee.duties)
        )
        wanted = select(Employee.member_id).where(
            Employee.tenant_id == self._tenant_id, or_(Employee.title == TITLE_OWNER, by_duty)
        )
        return (await self._session.scalars(wanted)).all()

    async def of_teams(self, line: Sequence[UUID], size: int) -> Sequence[UUID]:
        """Answers the members who are chiefs and managers of these teams, those of the first team first."""
        wanted = (
            select(Employee.member_id)
            .join(
                Companion,
                (Companion.tenant_id == Employee.tenant_id) & (Companion.employee_id == Employee.id),
            )
            .where(
                Employee.tenant_id == self._tenant_id,
                Employee.title > 0,
                Companion.team_id.in_(line),
                Companion.role >= ROLE_MANAGER,
            )
            .group_by(Employee.member_id)
            .order_by(
                func.min(func.array_position(literal(list(line), ARRAY(Uuid)), Companion.team_id)),
                Employee.member_id,
            )
        )
        return (await self._session.scalars(wanted.limit(size))).all()


async def tenants_writing(tx: Snapshot) -> Sequence[UUID]:
    """Answers the enterprises whose letters wait. For the worker role, which sees no more of them."""
    return (await tx.session.scalars(select(Letter.tenant_id).distinct())).all()
