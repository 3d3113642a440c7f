"""The queries on appointments."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from services.enterprise.models import Appointment
from services.enterprise.store.rows import Rows
from wrtn.access.v1.access_pb2 import TITLE_UNSPECIFIED


class Appointments(Rows):
    """The records of appointments."""

    async def last_title(self, employee_id: UUID) -> int:
        """Answers the title that the employee had before their newest change of title."""
        wanted = select(Appointment.title_before).where(
            Appointment.tenant_id == self._tenant_id,
            Appointment.employee_id == employee_id,
            Appointment.title_before != Appointment.title_after,
            Appointment.absent_employee_id.is_(None),
        )
        newest = wanted.order_by(Appointment.sequence.desc()).limit(1)
        return await self._session.scalar(newest) or TITLE_UNSPECIFIED

    async def page(
        self, before: int | None, size: int, employee_id: UUID | None, team_id: UUID | None
    ) -> Sequence[Appointment]:
        """Answers the records before this one, the newest first; of one employee or to one team."""
        wanted = select(Appointment).where(Appointment.tenant_id == self._tenant_id)
        if employee_id is not None:
            wanted = wanted.where(Appointment.employee_id == employee_id)
        if team_id is not None:
            wanted = wanted.where(Appointment.team_id == team_id)
        if before is not None:
            wanted = wanted.where(Appointment.sequence < before)
        return (await self._session.scalars(wanted.order_by(Appointment.sequence.desc()).limit(size))).all()
