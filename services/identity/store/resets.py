"""The queries on the tokens that reset passwords."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update

from chassis.database import Snapshot
from services.identity.models import PasswordReset


class Resets:
    """The tokens of the scope's member, or of PLATFORM."""

    def __init__(self, tx: Snapshot, member_id: UUID) -> None:
        self._session = tx.session
        self._member_id = member_id

    async def mailed(self, address_hash: bytes, since: datetime) -> Sequence[datetime]:
        """Answers when mails went to the address, the newest first; who asks at the same time waits."""
        lock = func.pg_advisory_xact_lock(int.from_bytes(address_hash[:8], signed=True))
        await self._session.execute(select(lock))
        query = (
            select(PasswordReset.create_time)
            .where(
                PasswordReset.member_id == self._member_id,
                PasswordReset.address_hash == address_hash,
                PasswordReset.create_time > since,
            )
            .order_by(PasswordReset.create_time.desc())
        )
        return (await self._session.scalars(query)).all()

    async def good(self, token_hash: bytes, now: datetime) -> bool:
        """Says whether the token can still be used."""
        query = select(PasswordReset.member_id).where(
            *self._good(now), PasswordReset.token_hash == token_hash
        )
        return await self._session.scalar(query) is not None

    async def use(self, token_hash: bytes, now: datetime) -> bool:
        """Uses the token, once; False if it cannot be used any more."""
        used = (
            update(PasswordReset)
            .where(*self._good(now), PasswordReset.token_hash == token_hash)
            .values(use_time=now)
            .returning(PasswordReset.member_id)
        )
        return await self._session.scalar(used) is not None

    async def void(self, now: datetime) -> None:
        """Makes all tokens of the member useless."""
        await self._session.execute(update(PasswordReset).where(*self._good(now)).values(use_time=now))

    def _good(self, now: datetime) -> tuple[ColumnElement[bool], ...]:
        mine = PasswordReset.member_id == self._member_id
        return mine, PasswordReset.use_time.is_(None), PasswordReset.expire_time > now
