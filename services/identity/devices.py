"""Devices that a member is known by: where they have signed in before, their tries count apart.

So whoever uses up the tries of somebody's address stops strangers, and not the owner.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from chassis.database import Snapshot, Transaction
from services.identity import bearers
from services.identity.models import KnownDevice
from services.identity.store.devices import Devices

LIFETIME = timedelta(days=180)
MOST = 20


async def known(snapshot: Snapshot, member_id: UUID, token: str) -> bytes | None:
    """Answers the hash of a device token by which the member is known, None for every other text.

    All are looked up alike, also the empty one.
    """
    token_hash = bearers.digest(token)
    return token_hash if await Devices(snapshot, member_id).known(token_hash, snapshot.now) else None


async def remember(tx: Transaction, member_id: UUID, token: str) -> str:
    """Answers the device token of a good sign-in: the one that came with it if it is known, or a new one."""
    devices = Devices(tx, member_id)
    until = tx.now + LIFETIME
    if token and await devices.prolong(bearers.digest(token), tx.now, until):
        return token
    await devices.forget_oldest(MOST - 1)
    made = bearers.bearer(bearers.DEVICE, member_id, tx.clock)
    device = KnownDevice(
        member_id=member_id, token_hash=bearers.digest(made), expire_time=until, create_time=tx.now
    )
    tx.session.add(device)
    return made


async def forget_all(tx: Transaction, member_id: UUID) -> None:
    """Forgets every device of the scope's member, as after a reset of the password."""
    await Devices(tx, member_id).forget_oldest(0)
