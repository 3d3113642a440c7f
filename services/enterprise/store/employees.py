"""The queries on employees."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select

from services.enterprise.models import Employee
from services.enterprise.store.rows import Rows
from wrtn.access.v1.access_pb2 import TITLE_OWNER


class Employees(Rows):
    """The employees of the enterprise."""

    async def get(self, employee_id: UUID) -> Employee | None:
        """Answers the employee."""
        return await self._session.get(Employee, (self._tenant_id, employee_id))

    async def of_member(self, member_id: UUID) -> Employee | None:
        """Answers the employee that the member is, or was."""
        wanted = select(Employee).where(
            Employee.tenant_id == self._tenant_id, Employee.member_id == member_id
        )
        return (await self._session.scalars(wanted)).one_or_none()

    async def page(self, after: int, size: int, *, active: bool | None = None) -> Sequence[Employee]:
        """Answers those after this place in the order of employment; of one state alone if `active` says."""
        wanted = select(Employee).where(Employee.tenant_id == self._tenant_id, Employee.sequence > after)
        if active is not None:
            wanted = wanted.where((Employee.title > 0) == active)
        return (await self._session.scalars(wanted.order_by(Employee.sequence).limit(size))).all()

    async def count_owners(self) -> int:
        """Counts the owners."""
        wanted = select(func.count()).where(
            Employee.tenant_id == self._tenant_id, Employee.title == TITLE_OWNER
        )
        return await self._session.scalar(wanted) or 0
