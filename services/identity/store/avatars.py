"""The queries on avatars."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot
from services.identity.models import Avatar


class Avatars:
    """The avatar of the scope's member."""

    def __init__(self, tx: Snapshot, member_id: UUID) -> None:
        self._session = tx.session
        self._member_id = member_id

    async def get(self) -> Avatar | None:
        """Answers the avatar."""
        return await self._session.scalar(select(Avatar).where(Avatar.member_id == self._member_id))

    async def put(self, media_type: str, image: bytes, now: datetime) -> Avatar:
        """Puts the avatar in the place of the one before."""
        values = {"media_type": media_type, "image": image, "create_time": now}
        added = insert(Avatar).values({"member_id": self._member_id} | values)
        set_ = added.on_conflict_do_update(index_elements=[Avatar.member_id], set_=values)
        return (await self._session.scalars(set_.returning(Avatar))).one()

    async def remove(self) -> None:
        """Removes the avatar, if there is one."""
        await self._session.execute(delete(Avatar).where(Avatar.member_id == self._member_id))
