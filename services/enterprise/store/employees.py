"""The queries on employees."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from services.enterprise.models import Employee
from services.enterprise.store.rows import Rows


class Employees(Rows):
    """The employees of the enterprise."""

    async def get(self, employee_id: UUID) -> Employee | None:
        """Answers the employee."""
        return await self._session.get(Employee, (self._tenant_id, employee_id))

    async def page(self, after: int, size: int) -> Sequence[Employee]:
        """Answers those after this place in the order of employment."""
        wanted = select(Employee).where(Employee.tenant_id == self._tenant_id, Employee.sequence > after)
        return (await self._session.scalars(wanted.order_by(Employee.sequence).limit(size))).all()

    async def add(self, row: Employee) -> bool:
        """Adds the employee; answers False if the member is employed here already."""
        values = {each.name: getattr(row, each.name) for each in Employee.__table__.columns}
        statement = insert(Employee).values(values)
        added = statement.on_conflict_do_nothing(index_elements=["member_id", "tenant_id"]).returning(
            Employee.id
        )
        return await self._session.scalar(added) is not None
