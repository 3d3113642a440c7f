"""The statements that forget what has expired."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from chassis.database import Snapshot, Transaction

_CONCERNED = """
SELECT DISTINCT member_id FROM (
    SELECT member_id FROM wrtn_logins WHERE least(expire_time, end_time) < %(kept)s
    UNION ALL SELECT member_id FROM wrtn_refresh_tokens WHERE expire_time < %(now)s
    UNION ALL SELECT member_id FROM wrtn_known_devices WHERE expire_time < %(now)s
    UNION ALL SELECT member_id FROM wrtn_sign_in_challenges WHERE expire_time < %(now)s
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
)
_COMMON = (
    "DELETE FROM wrtn_guesses WHERE last_time < %(guessed)s",
    "DELETE FROM wrtn_answered_challenges WHERE expire_time < %(now)s",
)


async def concerned(
    worker: Snapshot, now: datetime, kept: datetime, after: UUID | None, most: int
) -> Sequence[UUID]:
    """Answers members of whom something has expired, in the order of their ids."""
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
