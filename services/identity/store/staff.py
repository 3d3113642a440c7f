"""The queries on staff. The scope's tenant is the platform's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot
from services.identity.models import (
    PLATFORM,
    Member,
    Staff,
    StaffAppointment,
)
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_ADMINISTRATOR


class Staffs:
    """The staff of the suite, their appointments, and the members as they see them."""

    def __init__(self, tx: Snapshot) -> None:
        self._session = tx.session

    async def lock_administrators(self) -> frozenset[UUID]:
        """Locks the administrators until the transaction ends: decisions on them wait for each other."""
        query = select(Staff.member_id).where(
            Staff.tenant_id == PLATFORM, Staff.staff_right == STAFF_RIGHT_ADMINISTRATOR
        )
        found = await self._session.scalars(query.order_by(Staff.member_id).with_for_update())
        return frozenset(found)

    async def administrators(self) -> Sequence[UUID]:
        """Answers the administrators."""
        query = select(Staff.member_id).where(
            Staff.tenant_id == PLATFORM, Staff.staff_right == STAFF_RIGHT_ADMINISTRATOR
        )
        return (await self._session.scalars(query)).all()

    async def get(self, member_id: UUID) -> Staff | None:
        """Answers a member of staff."""
        query = select(Staff).where(Staff.tenant_id == PLATFORM, Staff.member_id == member_id)
        return await self._session.scalar(query)

    async def put(self, member_id: UUID, right: int, now: datetime) -> None:
        """Notes that a member has this right from now on; none removes the record."""
        if not right:
            gone = delete(Staff).where(Staff.tenant_id == PLATFORM, Staff.member_id == member_id)
            await self._session.execute(gone)
            return
        values = {"tenant_id": PLATFORM, "member_id": member_id, "staff_right": right, "appoint_time": now}
        changed = {"staff_right": right, "appoint_time": now}
        added = insert(Staff).values(values)
        await self._session.execute(
            added.on_conflict_do_update(index_elements=["tenant_id", "member_id"], set_=changed)
        )

    async def page(self, after: tuple[datetime, UUID] | None, most: int) -> Sequence[Staff]:
        """Answers the staff as they were appointed."""
        key = (Staff.appoint_time, Staff.member_id)
        query: Select[Staff] = select(Staff).where(Staff.tenant_id == PLATFORM)
        if after is not None:
            query = query.where(tuple_(*key) > after)
        return (await self._session.scalars(query.order_by(*key).limit(most))).all()

    async def newest_appointments(
        self, member_id: UUID | None, before: tuple[datetime, UUID, int] | None, most: int
    ) -> Sequence[StaffAppointment]:
        """Answers the appointments, the newest first, if wanted those of one member alone."""
        key = (StaffAppointment.create_time, StaffAppointment.member_id, StaffAppointment.version)
        query = select(StaffAppointment).where(StaffAppointment.tenant_id == PLATFORM)
        if member_id is not None:
            query = query.where(StaffAppointment.member_id == member_id)
        if before is not None:
            query = query.where(tuple_(*key) < before)
        order = (column.desc() for column in key)
        return (await self._session.scalars(query.order_by(*order).limit(most))).all()

    async def newest_members(
        self, state: str | None, before: tuple[datetime, UUID] | None, most: int
    ) -> Sequence[Member]:
        """Answers the members of the suite, the newest first."""
        key = (Member.create_time, Member.id)
        query = select(Member)
        if state is not None:
            query = query.where(Member.state == state)
        if before is not None:
            query = query.where(tuple_(*key) < before)
        order = (column.desc() for column in key)
        return (await self._session.scalars(query.order_by(*order).limit(most))).all()
