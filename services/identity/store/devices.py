"""The statements on devices that a member is known by."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from chassis.database import Snapshot

_PROLONG = """
UPDATE wrtn_known_devices SET expire_time = %s WHERE member_id = %s AND token_hash = %s AND expire_time > %s
"""
_ADD = """
WITH oldest AS (
    DELETE FROM wrtn_known_devices WHERE member_id = %(member)s AND token_hash IN (
        SELECT token_hash FROM wrtn_known_devices WHERE member_id = %(member)s
        ORDER BY expire_time DESC, token_hash OFFSET %(kept)s))
INSERT INTO wrtn_known_devices (member_id, token_hash, expire_time, create_time)
VALUES (%(member)s, %(hash)s, %(until)s, %(now)s)
"""
_FORGET = "DELETE FROM wrtn_known_devices WHERE member_id = %s"


class Devices:
    """The known devices of the scope's member."""

    def __init__(self, tx: Snapshot, member_id: UUID) -> None:
        self._tx = tx
        self._member_id = member_id

    async def prolong(self, token_hash: bytes, now: datetime, until: datetime) -> bool:
        """Keeps a known device for longer; False if it is not known."""
        values = (until, self._member_id, token_hash, now)
        return (await (await self._tx.driver()).execute(_PROLONG, values)).rowcount == 1

    async def add(self, token_hash: bytes, now: datetime, until: datetime, kept: int) -> None:
        """Adds a device and forgets all others but those `kept` that were used last."""
        values = {"member": self._member_id, "hash": token_hash, "now": now, "until": until, "kept": kept}
        await (await self._tx.driver()).execute(_ADD, values)

    async def forget_all(self) -> None:
        """Forgets every device."""
        await (await self._tx.driver()).execute(_FORGET, (self._member_id,))
