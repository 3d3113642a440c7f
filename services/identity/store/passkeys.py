"""The queries on passkeys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot
from services.identity.models import AnsweredChallenge, Passkey


class Passkeys:
    """The passkeys of the scope's member."""

    def __init__(self, tx: Snapshot, member_id: UUID) -> None:
        self._session = tx.session
        self._member_id = member_id

    async def oldest(self, after: tuple[datetime, UUID] | None, most: int) -> Sequence[Passkey]:
        """Answers the passkeys, the oldest first."""
        key = (Passkey.create_time, Passkey.id)
        query = select(Passkey).where(Passkey.member_id == self._member_id)
        if after is not None:
            query = query.where(tuple_(*key) > after)
        return (await self._session.scalars(query.order_by(*key).limit(most))).all()

    async def by_credential(self, credential_id: bytes) -> Passkey | None:
        """Answers the passkey that an authenticator calls so."""
        query = select(Passkey).where(
            Passkey.member_id == self._member_id, Passkey.credential_id == credential_id
        )
        return await self._session.scalar(query)

    async def add(self, row: dict[str, object]) -> Passkey | None:
        """Adds a passkey; None if the member has it already."""
        added = insert(Passkey).values(member_id=self._member_id, **row).on_conflict_do_nothing()
        return await self._session.scalar(added.returning(Passkey))

    async def use(self, passkey_id: UUID, sign_count: int, now: datetime) -> bool:
        """Notes a use; False if the authenticator's count did not rise, as after a copy of it was used."""
        rises = or_(Passkey.sign_count < sign_count, (Passkey.sign_count == 0) & (sign_count == 0))
        used = (
            update(Passkey)
            .where(Passkey.member_id == self._member_id, Passkey.id == passkey_id, rises)
            .values(sign_count=sign_count, last_use_time=now)
        )
        return await self._session.scalar(used.returning(Passkey.id)) is not None

    async def remove(self, passkey_id: UUID) -> bool:
        """Removes a passkey; False if the member has none such."""
        removed = delete(Passkey).where(Passkey.member_id == self._member_id, Passkey.id == passkey_id)
        return await self._session.scalar(removed.returning(Passkey.id)) is not None


async def answer_challenge(tx: Snapshot, challenge_hash: bytes, expire_time: datetime) -> bool:
    """Notes that a challenge was answered; False if it was before."""
    row = {"challenge_hash": challenge_hash, "expire_time": expire_time}
    noted = insert(AnsweredChallenge).values(row).on_conflict_do_nothing()
    return await tx.session.scalar(noted.returning(AnsweredChallenge.expire_time)) is not None
