"""Devices that a member is known by: where they have signed in before, their tries count apart.

So whoever uses up the tries of somebody's address stops strangers, and not the owner.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from chassis.database import Transaction
from services.identity import bearers
from services.identity.store.devices import forget_devices

LIFETIME = timedelta(days=180)
MOST = 20


@dataclass(frozen=True, slots=True)
class Device:
    """Where somebody signs in: by the token that came from there, or the one made for it if it is new."""

    came: str
    made: str
    values: dict[str, Any]
    """What the statement that remembers it is told."""


def signing_in(tx: Transaction, member_id: UUID, came: str) -> Device:
    """Makes a token for a device that may be new; the one that came is empty where none did."""
    made = bearers.bearer(bearers.DEVICE, member_id, tx.clock)
    hashes = {"came": bearers.digest(came), "made": bearers.digest(made)}
    times = {"now": tx.now, "until": tx.now + LIFETIME}
    return Device(came, made, {"member_id": member_id, "most": MOST, **hashes, **times})


async def forget_all(tx: Transaction, member_id: UUID) -> None:
    """Forgets every device of the scope's member, as when the password changes."""
    await forget_devices(tx, member_id)
