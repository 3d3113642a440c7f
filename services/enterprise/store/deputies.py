"""The queries on deputies."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, or_, select

from services.enterprise.models import Deputy
from services.enterprise.store.rows import Rows


class Deputies(Rows):
    """The deputyships of the enterprise. But for `get`, those alone that are not over."""

    async def get(self, deputy_id: UUID) -> Deputy | None:
        """Answers the deputyship, over or not."""
        return await self._session.get(Deputy, (self._tenant_id, deputy_id))

    async def page(self, after: UUID | None, size: int) -> Sequence[Deputy]:
        """Answers those with greater ids."""
        wanted = self._lasting()
        if after is not None:
            wanted = wanted.where(Deputy.id > after)
        return (await self._session.scalars(wanted.order_by(Deputy.id).limit(size))).all()

    async def of_pair(self, employee_id: UUID, absent_id: UUID, team_id: UUID | None) -> Sequence[Deputy]:
        """Answers those of this deputy for that one, in the team or in the enterprise."""
        wanted = self._lasting().where(
            Deputy.employee_id == employee_id,
            Deputy.absent_employee_id == absent_id,
            Deputy.team_id.is_not_distinct_from(team_id),
        )
        return (await self._session.scalars(wanted)).all()

    async def for_absent(self, absent_id: UUID, team_id: UUID | None) -> Sequence[Deputy]:
        """Answers those for the absent one, in the team or in the enterprise."""
        wanted = self._lasting().where(
            Deputy.absent_employee_id == absent_id, Deputy.team_id.is_not_distinct_from(team_id)
        )
        return (await self._session.scalars(wanted)).all()

    async def of_employee(self, employee_id: UUID) -> Sequence[Deputy]:
        """Answers those of the employee and those for them."""
        wanted = self._lasting().where(
            or_(Deputy.employee_id == employee_id, Deputy.absent_employee_id == employee_id)
        )
        return (await self._session.scalars(wanted)).all()

    def _lasting(self) -> Select[Deputy]:
        return select(Deputy).where(Deputy.tenant_id == self._tenant_id, Deputy.end_time > self._tx.now)
