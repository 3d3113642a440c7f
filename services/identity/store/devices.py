"""The queries on devices that a member is known by."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update

from chassis.database import Snapshot
from services.identity.models import KnownDevice


class Devices:
    """The known devices of the scope's member."""

    def __init__(self, tx: Snapshot, member_id: UUID) -> None:
        self._session = tx.session
        self._member_id = member_id

    async def known(self, token_hash: bytes, now: datetime) -> bool:
        """Says whether the member is known by this device."""
        query = select(KnownDevice.member_id).where(*self._good(token_hash, now))
        return await self._session.scalar(query) is not None

    async def prolong(self, token_hash: bytes, now: datetime, until: datetime) -> bool:
        """Keeps a known device for longer; False if it is not known."""
        prolonged = update(KnownDevice).where(*self._good(token_hash, now)).values(expire_time=until)
        return await self._session.scalar(prolonged.returning(KnownDevice.member_id)) is not None

    async def forget_oldest(self, kept: int) -> None:
        """Forgets all devices but those that were used last."""
        order = (KnownDevice.expire_time.desc(), KnownDevice.token_hash)
        own = KnownDevice.member_id == self._member_id
        oldest = select(KnownDevice.token_hash).where(own).order_by(*order).offset(kept)
        forgotten = delete(KnownDevice).where(own, KnownDevice.token_hash.in_(oldest.scalar_subquery()))
        await self._session.execute(forgotten)

    def _good(self, token_hash: bytes, now: datetime) -> tuple[Any, ...]:
        return (
            KnownDevice.member_id == self._member_id,
            KnownDevice.token_hash == token_hash,
            KnownDevice.expire_time > now,
        )
