"""The queries on holds and their record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot
from services.identity.models import Hold, Suspension


class Holds:
    """The holds on the scope's member."""

    def __init__(self, tx: Snapshot) -> None:
        self._session = tx.session

    async def all(self, member_id: UUID) -> Sequence[Hold]:
        """Answers the holds, the oldest first."""
        query = select(Hold).where(Hold.member_id == member_id).order_by(Hold.create_time, Hold.reason)
        return (await self._session.scalars(query)).all()

    async def place(self, member_id: UUID, reason: str, now: datetime) -> bool:
        """Places a hold; False if there is one for this reason."""
        row = {"member_id": member_id, "reason": reason, "create_time": now}
        placed = insert(Hold).values(row).on_conflict_do_nothing().returning(Hold.reason)
        return await self._session.scalar(placed) is not None

    async def lift(self, member_id: UUID, reason: str) -> bool:
        """Lifts a hold; False if there is none for this reason."""
        lifted = delete(Hold).where(Hold.member_id == member_id, Hold.reason == reason)
        return await self._session.scalar(lifted.returning(Hold.reason)) is not None

    async def record(
        self, member_id: UUID, before: tuple[datetime, UUID] | None, most: int
    ) -> Sequence[Suspension]:
        """Answers what was done, the newest first."""
        key = (Suspension.create_time, Suspension.id)
        query = select(Suspension).where(Suspension.member_id == member_id)
        if before is not None:
            query = query.where(tuple_(*key) < before)
        order = (column.desc() for column in key)
        return (await self._session.scalars(query.order_by(*order).limit(most))).all()
