"""The queries on the API keys of members."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select, tuple_, update

from chassis.database import Snapshot
from services.identity.models import ApiKey


class ApiKeys:
    """The API keys of the scope's member."""

    def __init__(self, tx: Snapshot) -> None:
        self._session = tx.session

    async def get(self, member_id: UUID, key_id: UUID) -> ApiKey | None:
        """Answers a key."""
        return await self._session.scalar(
            select(ApiKey).where(ApiKey.member_id == member_id, ApiKey.id == key_id)
        )

    async def newest(
        self, member_id: UUID, before: tuple[datetime, UUID] | None, most: int
    ) -> Sequence[ApiKey]:
        """Answers the keys, the newest first."""
        key = (ApiKey.create_time, ApiKey.id)
        query = select(ApiKey).where(ApiKey.member_id == member_id)
        if before is not None:
            query = query.where(tuple_(*key) < before)
        order = (column.desc() for column in key)
        return (await self._session.scalars(query.order_by(*order).limit(most))).all()

    async def count_good(self, member_id: UUID, now: datetime) -> int:
        """Answers how many keys are neither revoked nor expired."""
        query = select(func.count()).where(
            ApiKey.member_id == member_id,
            ApiKey.revoke_time.is_(None),
            or_(ApiKey.expire_time.is_(None), ApiKey.expire_time > now),
        )
        return await self._session.scalar(query) or 0

    async def revoke(
        self, member_id: UUID, now: datetime, *, key_id: UUID | None = None, account_id: UUID | None = None
    ) -> Sequence[ApiKey]:
        """Revokes the good keys of the member: one of them, those of an account, or all; answers which."""
        revoked = update(ApiKey).where(ApiKey.member_id == member_id, ApiKey.revoke_time.is_(None))
        if key_id is not None:
            revoked = revoked.where(ApiKey.id == key_id)
        if account_id is not None:
            revoked = revoked.where(ApiKey.account_id == account_id)
        values = revoked.values(revoke_time=now, version=ApiKey.version + 1)
        return (await self._session.scalars(values.returning(ApiKey))).all()

    async def used(self, member_id: UUID, key_id: UUID, now: datetime, unless_after: datetime) -> None:
        """Writes when a key was last used, unless that was a moment before."""
        late = or_(ApiKey.last_use_time.is_(None), ApiKey.last_use_time <= unless_after)
        used = update(ApiKey).where(ApiKey.member_id == member_id, ApiKey.id == key_id, late)
        await self._session.execute(used.values(last_use_time=now))
