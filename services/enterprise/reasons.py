"""What people say of their decisions, kept under the enterprise's key; empty once that is destroyed."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chassis.crypto import KeyDestroyed, Keyring
from chassis.database import Snapshot, Transaction


async def seal(
    tx: Transaction, keyring: Keyring, what: str, tenant_id: UUID, row_id: UUID, said: str
) -> bytes:
    """Encrypts a reason, bound to its row; `what` names the column."""
    key = await keyring.key(tx, tenant_id)
    return key.encrypt(said.encode(), what, tenant_id, row_id)


async def opened(
    tx: Snapshot, keyring: Keyring, what: str, tenant_id: UUID, sealed: Sequence[tuple[UUID, bytes | None]]
) -> list[str]:
    """Answers the reasons of one enterprise's rows; empty where nothing was said or the key is destroyed."""
    if all(each is None for _, each in sealed):
        return [""] * len(sealed)
    try:
        key = await keyring.key(tx, tenant_id)
    except KeyDestroyed:
        return [""] * len(sealed)
    return [
        key.decrypt(each, what, tenant_id, row_id).decode() if each is not None else ""
        for row_id, each in sealed
    ]
