"""The statements that forget: the worker lists whose rows are due, the app role deletes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select

from chassis.database import Snapshot, Transaction
from services.identity.models import Email, EmailVerification, Mail, MailState, Member, MemberState

_CONCERNED = """
SELECT DISTINCT member_id FROM (
    SELECT member_id FROM wrtn_logins WHERE least(expire_time, end_time) < %(kept)s
    UNION ALL SELECT member_id FROM wrtn_refresh_tokens WHERE expire_time < %(now)s
    UNION ALL SELECT member_id FROM wrtn_known_devices WHERE expire_time < %(now)s
    UNION ALL SELECT member_id FROM wrtn_sign_in_challenges WHERE expire_time < %(now)s
    UNION ALL SELECT member_id FROM wrtn_email_verifications WHERE expire_time < %(now)s
    UNION ALL SELECT member_id FROM wrtn_password_resets WHERE expire_time < %(now)s
) AS expired WHERE %(after)s::uuid IS NULL OR member_id > %(after)s ORDER BY member_id LIMIT %(most)s
"""
# The tokens of a login first: none of one that ended so long ago is good any more.
_OWN = (
    """DELETE FROM wrtn_refresh_tokens
    WHERE member_id = %(member)s AND (expire_time < %(now)s OR login_id IN (
        SELECT id FROM wrtn_logins WHERE member_id = %(member)s AND least(expire_time, end_time) < %(kept)s))
    """,
    "DELETE FROM wrtn_logins WHERE member_id = %(member)s AND least(expire_time, end_time) < %(kept)s",
    "DELETE FROM wrtn_known_devices WHERE member_id = %(member)s AND expire_time < %(now)s",
    "DELETE FROM wrtn_sign_in_challenges WHERE member_id = %(member)s AND expire_time < %(now)s",
    "DELETE FROM wrtn_email_verifications WHERE member_id = %(member)s AND expire_time < %(now)s",
    "DELETE FROM wrtn_password_resets WHERE member_id = %(member)s AND expire_time < %(now)s",
)
_COMMON = (
    "DELETE FROM wrtn_guesses WHERE last_time < %(guessed)s",
    "DELETE FROM wrtn_answered_challenges WHERE expire_time < %(now)s",
)


async def concerned(
    worker: Snapshot, now: datetime, kept: datetime, after: UUID | None, most: int
) -> Sequence[UUID]:
    """Answers members, and the platform, of whom something has expired, in the order of their ids."""
    values = {"now": now, "kept": kept, "after": after, "most": most}
    cursor = await (await worker.driver()).execute(_CONCERNED, values)
    return [row[0] for row in await cursor.fetchall()]


async def forget(tx: Transaction, member_id: UUID, now: datetime, kept: datetime) -> None:
    """Deletes what has expired of the scope's member; logins that ended stay until `kept`."""
    driver = await tx.driver()
    for statement in _OWN:
        await driver.execute(statement, {"member": member_id, "now": now, "kept": kept})


async def forget_common(tx: Transaction, now: datetime, guessed: datetime) -> None:
    """Deletes what belongs to nobody: answered challenges, and tries before `guessed`."""
    driver = await tx.driver()
    for statement in _COMMON:
        await driver.execute(statement, {"now": now, "guessed": guessed})


async def never_verified(worker: Snapshot, before: datetime, most: int) -> Sequence[UUID]:
    """Answers members who registered before then and have never verified an address."""
    due = (Member.state == MemberState.PENDING, Member.create_time < before)
    query = select(Member.id).where(*due).order_by(Member.create_time).limit(most)
    return (await worker.session.scalars(query)).all()


async def delete_pending(tx: Transaction, member_id: UUID) -> bool:
    """Deletes a member who is still pending, with their addresses; False if they are not any more."""
    lock = select(Member.id).where(Member.id == member_id, Member.state == MemberState.PENDING)
    if await tx.session.scalar(lock.with_for_update()) is None:
        return False
    for table in (EmailVerification, Email):
        await tx.session.execute(delete(table).where(table.member_id == member_id))
    await tx.session.execute(delete(Member).where(Member.id == member_id))
    return True


async def delete_mails(tx: Transaction, sent_before: datetime, before: datetime, most: int) -> int:
    """Deletes mails that were sent, if they are that old, and older ones whatever became of them."""
    old = (Mail.state == MailState.SENT) & (Mail.create_time < sent_before) | (Mail.create_time < before)
    due = select(Mail.id).where(old).order_by(Mail.create_time).limit(most).with_for_update(skip_locked=True)
    deleted = delete(Mail).where(Mail.id.in_(due)).returning(Mail.id)
    return len((await tx.session.scalars(deleted)).all())
