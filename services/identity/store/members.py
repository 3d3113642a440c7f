"""The queries on people and their addresses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Scope, Snapshot
from services.identity.models import (
    Avatar,
    Email,
    EmailVerification,
    Member,
    MemberState,
    VerifiedAddress,
)

_ADMIT = "SELECT set_config('wrtn.member', %s, true)"
_LOCALE = "SELECT locale FROM wrtn_members WHERE id = %s"
_LOCK_ACTIVE = "SELECT FROM wrtn_members WHERE id = %s AND state = 'ACTIVE' FOR NO KEY UPDATE"


async def admit_member(tx: Snapshot, member_id: UUID | None) -> None:
    """Admits one member's rows to the rest of this transaction, in place of those of the scope's member.

    For a consumer, whose batch is opened for the tenants of its events and which learns of the members
    from the events themselves.
    """
    await tx.session.execute(select(func.set_config("wrtn.member", str(member_id or ""), True)))
    tx.scope = Scope(tx.scope.tenants, member_id)


class Members:
    """The scope's member."""

    def __init__(self, tx: Snapshot) -> None:
        self._tx = tx
        self._session = tx.session

    async def get(self, member_id: UUID) -> Member | None:
        """Answers the member, if they are the scope's."""
        return await self._session.scalar(select(Member).where(Member.id == member_id))

    async def lock(self, member_id: UUID) -> Member | None:
        """Answers the member as they are now and stay until the end of the transaction."""
        query = select(Member).where(Member.id == member_id).with_for_update(key_share=True)
        return await self._session.scalar(query.execution_options(populate_existing=True))

    async def lock_active(self, member_id: UUID) -> bool:
        """Locks the row of an active member until the end of the transaction; False if there is none."""
        return (await (await self._tx.driver()).execute(_LOCK_ACTIVE, (member_id,))).rowcount == 1

    async def avatar_time(self, member_id: UUID) -> datetime | None:
        """Answers when the avatar was set; None if there is none."""
        return await self._session.scalar(select(Avatar.create_time).where(Avatar.member_id == member_id))

    async def emails(self, member_id: UUID) -> Sequence[Email]:
        """Answers the addresses, the primary one first."""
        order = (Email.is_primary.desc(), Email.id)
        rows = await self._session.scalars(select(Email).where(Email.member_id == member_id).order_by(*order))
        return rows.all()

    async def primary(self, member_id: UUID) -> Email | None:
        """Answers the primary address; a member without a verified one has none."""
        query = select(Email).where(Email.member_id == member_id, Email.is_primary)
        return await self._session.scalar(query)

    async def owner_of(self, address_hash: bytes) -> UUID | None:
        """Answers who has proven the address. The directory belongs to no scope."""
        query = select(VerifiedAddress.member_id).where(VerifiedAddress.address_hash == address_hash)
        return await self._session.scalar(query)

    async def owners_of(self, address_hashes: Sequence[bytes]) -> dict[bytes, UUID]:
        """Answers who has proven each of these addresses, where somebody has."""
        query = select(VerifiedAddress.address_hash, VerifiedAddress.member_id).where(
            VerifiedAddress.address_hash.in_(address_hashes)
        )
        return {row[0]: row[1] for row in await self._session.execute(query)}

    async def locale_of(self, member_id: UUID) -> str | None:
        """Answers the language of any member, for a mail to them; the scope stays what it was."""
        driver = await self._tx.driver()
        async with driver.pipeline():
            await driver.execute(_ADMIT, (str(member_id),))
            found = await driver.execute(_LOCALE, (member_id,))
            await driver.execute(_ADMIT, (str(self._tx.scope.member_id or ""),))
        row = await found.fetchone()
        return row[0] if row is not None else None

    async def use_verification(self, member_id: UUID, token_hash: bytes, now: datetime) -> Email | None:
        """Uses the token, once, and answers the address that it was mailed to."""
        used = (
            update(EmailVerification)
            .where(
                EmailVerification.member_id == member_id,
                EmailVerification.token_hash == token_hash,
                EmailVerification.use_time.is_(None),
                EmailVerification.expire_time > now,
            )
            .values(use_time=now)
            .returning(EmailVerification.email_id)
        )
        email_id = await self._session.scalar(used)
        if email_id is None:
            return None
        query = select(Email).where(Email.member_id == member_id, Email.id == email_id)
        return await self._session.scalar(query)

    async def claim_address(self, email: Email) -> bool:
        """Enters the address into the directory; False if somebody has it, faster by a hair or not."""
        row = {"address_hash": email.address_hash, "member_id": email.member_id, "email_id": email.id}
        entered = insert(VerifiedAddress).values(row).on_conflict_do_nothing()
        return (await self._session.scalar(entered.returning(VerifiedAddress.email_id))) is not None

    async def renew_password(self, member_id: UUID, before: str, after: str) -> None:
        """Puts a hash in the place of another one, unless the password was changed meanwhile."""
        same = (Member.id == member_id, Member.password_hash == before)
        await self._session.execute(update(Member).where(*same).values(password_hash=after))

    async def appoint(self, member_id: UUID, right: int) -> Row[int, int] | None:
        """Gives an active member another right; answers the new version and the right before."""
        old = select(Member.id, Member.staff_right).where(Member.id == member_id).with_for_update()
        before = old.cte("before")
        changed = (
            update(Member)
            .where(
                Member.id == before.c.id,
                Member.state == MemberState.ACTIVE,
                before.c.staff_right != right,
            )
            .values(staff_right=right, version=Member.version + 1)
            .returning(Member.version, before.c.staff_right)
        )
        return (await self._session.execute(changed)).one_or_none()
