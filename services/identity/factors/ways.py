"""The ways to sign in that a member has: there is always one."""

from __future__ import annotations

from uuid import UUID

from chassis.database import Transaction
from services.identity.errors import LastWayToSignIn
from services.identity.store import Identities, Members
from services.identity.store.passkeys import Passkeys


async def lock(tx: Transaction, member_id: UUID) -> None:
    """Locks the member before a way is removed: two at once would each see the other's as what is left."""
    await Members(tx).lock(member_id)


async def require_one(tx: Transaction, member_id: UUID) -> None:
    """Raises LastWayToSignIn unless a password, a passkey or an identity elsewhere is left."""
    member = await Members(tx).get(member_id)
    if member is not None and member.password_hash:
        return
    if not await Identities(tx).count(member_id) and not await Passkeys(tx, member_id).oldest(None, 1):
        raise LastWayToSignIn("Set a password or link another identity first: nothing else would be left.")
