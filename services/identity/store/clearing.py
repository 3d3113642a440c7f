"""The queries of clearing: the worker lists whose rows are due, the app role deletes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select

from chassis.database import Snapshot, Transaction
from services.identity.models import (
    Email,
    EmailVerification,
    Mail,
    MailState,
    Member,
    MemberState,
    PasswordReset,
)


async def never_verified(worker: Snapshot, before: datetime, most: int) -> Sequence[UUID]:
    """Answers members who registered before then and have never verified an address."""
    due = (Member.state == MemberState.PENDING, Member.create_time < before)
    query = select(Member.id).where(*due).order_by(Member.create_time).limit(most)
    return (await worker.session.scalars(query)).all()


async def with_expired_tokens(worker: Snapshot, before: datetime, most: int) -> Sequence[UUID]:
    """Answers members, and the platform, who have tokens that expired before then."""
    verifications = select(EmailVerification.member_id).where(EmailVerification.expire_time < before)
    resets = select(PasswordReset.member_id).where(PasswordReset.expire_time < before)
    return (await worker.session.scalars(verifications.union(resets).limit(most))).all()


async def delete_pending(tx: Transaction, member_id: UUID) -> bool:
    """Deletes a member who is still pending, with their addresses; False if they are not any more."""
    lock = select(Member.id).where(Member.id == member_id, Member.state == MemberState.PENDING)
    if await tx.session.scalar(lock.with_for_update()) is None:
        return False
    for table in (EmailVerification, Email):
        await tx.session.execute(delete(table).where(table.member_id == member_id))
    await tx.session.execute(delete(Member).where(Member.id == member_id))
    return True


async def delete_tokens(tx: Transaction, member_id: UUID, before: datetime) -> None:
    """Deletes the member's tokens that expired before then."""
    for table in (EmailVerification, PasswordReset):
        due = (table.member_id == member_id, table.expire_time < before)
        await tx.session.execute(delete(table).where(*due))


async def delete_mails(tx: Transaction, sent_before: datetime, before: datetime, most: int) -> int:
    """Deletes mails that were sent, if they are that old, and older ones whatever became of them."""
    old = (Mail.state == MailState.SENT) & (Mail.create_time < sent_before) | (Mail.create_time < before)
    due = select(Mail.id).where(old).order_by(Mail.create_time).limit(most).with_for_update(skip_locked=True)
    deleted = delete(Mail).where(Mail.id.in_(due)).returning(Mail.id)
    return len((await tx.session.scalars(deleted)).all())
