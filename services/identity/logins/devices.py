"""Devices that a member is known by: where they have signed in before, their tries count apart.

So whoever uses up the tries of somebody's address stops strangers, and not the owner.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from chassis.database import Transaction
from services.identity import bearers
from services.identity.store.devices import Devices

LIFETIME = timedelta(days=180)
MOST = 20


async def remember(tx: Transaction, member_id: UUID, token: str) -> str:
    """Answers the device token of a good sign-in: the one that came with it if it is known, or a new one."""
    devices = Devices(tx, member_id)
    until = tx.now + LIFETIME
    if token and await devices.prolong(bearers.digest(token), tx.now, until):
        return token
    made = bearers.bearer(bearers.DEVICE, member_id, tx.clock)
    await devices.add(bearers.digest(made), tx.now, until, MOST - 1)
    return made


async def forget_all(tx: Transaction, member_id: UUID) -> None:
    """Forgets every device of the scope's member, as when the password changes."""
    await Devices(tx, member_id).forget_all()
