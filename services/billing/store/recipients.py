"""Who is written to about budgets, as billing knows them by events."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, and_, or_, select

from chassis.database import Snapshot
from services.billing.models import KnownAccount, KnownCompanion, KnownDuties, KnownEmployee
from wrtn.access.v1.access_pb2 import DUTY_BILLING, ROLE_CHIEF, TITLE_MANAGER, TITLE_OWNER

MOST = 50
"""How many are written to at most."""


class Recipients:
    """The members of a tenant who are concerned."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def employee(self, employee_id: UUID) -> list[UUID]:
        """Answers the member who is this employee; none after their dismissal."""
        row = await self._session.get(KnownEmployee, (self._tenant_id, employee_id))
        return [row.member_id] if row is not None and row.title else []

    async def chiefs(self, team_ids: Sequence[UUID]) -> list[UUID]:
        """Answers the chiefs of these teams."""
        employee, companion = KnownEmployee, KnownCompanion
        query = (
            select(employee.member_id)
            .join(
                companion,
                and_(
                    companion.tenant_id == employee.tenant_id, companion.employee_id == employee.employee_id
                ),
            )
            .where(
                employee.tenant_id == self._tenant_id,
                employee.title > 0,
                companion.team_id.in_(team_ids),
                companion.role >= ROLE_CHIEF,
            )
        )
        return list(await self._session.scalars(query.distinct().limit(MOST)))

    async def who_pays(self) -> list[UUID]:
        """Answers the payers of an enterprise, or the holder of a personal account."""
        holder = await self._session.get(KnownAccount, (self._tenant_id, self._tenant_id))
        return [holder.holder_member_id] if holder is not None else await self.payers()

    async def payers(self) -> list[UUID]:
        """Answers the owners, and the managers with the duty of billing."""
        return list(await self._session.scalars(self._paying().limit(MOST)))

    async def pays(self, member_id: UUID) -> bool:
        """Whether the member is one of them."""
        mine = self._paying().where(KnownEmployee.member_id == member_id)
        return await self._session.scalar(mine) is not None

    def _paying(self) -> Select[UUID]:
        # Duties given before the last change of title have ended with it.
        employee, known = KnownEmployee, KnownDuties
        return (
            select(employee.member_id)
            .outerjoin(
                known,
                and_(known.tenant_id == employee.tenant_id, known.employee_id == employee.employee_id),
            )
            .where(
                employee.tenant_id == self._tenant_id,
                or_(
                    employee.title == TITLE_OWNER,
                    and_(
                        employee.title == TITLE_MANAGER,
                        known.version > employee.version,
                        known.duties.any_() == DUTY_BILLING,
                    ),
                ),
            )
        )
