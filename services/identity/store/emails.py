"""The queries on a member's addresses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import case, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot
from services.identity.models import Email, EmailVerification, VerifiedAddress

_ORDER = (case((Email.is_primary, 0), else_=1), Email.create_time, Email.id)


class Emails:
    """The addresses of the scope's member."""

    def __init__(self, tx: Snapshot, member_id: UUID) -> None:
        self._session = tx.session
        self._member_id = member_id

    async def get(self, email_id: UUID) -> Email | None:
        """Answers an address."""
        query = select(Email).where(Email.member_id == self._member_id, Email.id == email_id)
        return await self._session.scalar(query)

    async def page(self, after: tuple[int, datetime, UUID] | None, most: int) -> Sequence[Email]:
        """Answers the addresses, the primary one first, then as they were added."""
        query = select(Email).where(Email.member_id == self._member_id)
        if after is not None:
            query = query.where(tuple_(*_ORDER) > after)
        return (await self._session.scalars(query.order_by(*_ORDER).limit(most))).all()

    async def add(self, values: dict[str, Any]) -> Email | None:
        """Adds an address; None if the member has added it before."""
        added = insert(Email).values(values).on_conflict_do_nothing().returning(Email)
        return await self._session.scalar(added)

    async def count(self, *, verified: bool = False) -> int:
        """Answers how many there are, or how many of them are verified."""
        query = select(func.count()).select_from(Email).where(Email.member_id == self._member_id)
        if verified:
            query = query.where(Email.verify_time.is_not(None))
        return await self._session.scalar(query) or 0

    async def remove(self, email_id: UUID) -> None:
        """Removes an address, from the directory as well."""
        ours = (VerifiedAddress.member_id == self._member_id, VerifiedAddress.email_id == email_id)
        await self._session.execute(delete(VerifiedAddress).where(*ours))
        await self._session.execute(
            delete(Email).where(Email.member_id == self._member_id, Email.id == email_id)
        )

    async def make_primary(self, email_id: UUID) -> None:
        """Makes one address the primary one. There is one at every moment, so the old one gives way first."""
        mine = Email.member_id == self._member_id
        await self._session.execute(update(Email).where(mine, Email.is_primary).values(is_primary=False))
        await self._session.execute(update(Email).where(mine, Email.id == email_id).values(is_primary=True))

    async def mailed(self, since: datetime) -> Sequence[tuple[UUID, datetime]]:
        """Answers for which addresses verifications were mailed, and when, the newest first."""
        query = (
            select(EmailVerification.email_id, EmailVerification.create_time)
            .where(EmailVerification.member_id == self._member_id, EmailVerification.create_time > since)
            .order_by(EmailVerification.create_time.desc())
        )
        return [(email_id, time) for email_id, time in (await self._session.execute(query)).all()]
