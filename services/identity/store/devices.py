"""The statements on devices that a member is known by."""

from __future__ import annotations

from uuid import UUID

from chassis.database import Snapshot

REMEMBER = """
WITH prolonged AS (
    UPDATE wrtn_known_devices SET expire_time = %(until)s
    WHERE member_id = %(member_id)s AND token_hash = %(came)s AND expire_time > %(now)s RETURNING token_hash),
oldest AS (
    DELETE FROM wrtn_known_devices WHERE NOT EXISTS (SELECT FROM prolonged) AND member_id = %(member_id)s
    AND token_hash IN (
        SELECT token_hash FROM wrtn_known_devices WHERE member_id = %(member_id)s
        ORDER BY expire_time DESC, token_hash OFFSET %(most)s - 1))
INSERT INTO wrtn_known_devices (member_id, token_hash, expire_time, create_time)
SELECT %(member_id)s, %(made)s, %(until)s, %(now)s WHERE NOT EXISTS (SELECT FROM prolonged)
"""
"""Keeps the device that came for longer if it is known; else adds one and ends the oldest above `most`."""
_FORGET = "DELETE FROM wrtn_known_devices WHERE member_id = %s"


async def forget_devices(tx: Snapshot, member_id: UUID) -> None:
    """Forgets every device of the scope's member."""
    await (await tx.driver()).execute(_FORGET, (member_id,))
