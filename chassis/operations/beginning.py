"""Adding an operation: what `Operations.begin` does, also for a command line beside the service."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Transaction
from chassis.errors import Unavailable
from chassis.operations.store import OperationRows, Row

REQUEST = "wrtn_operations.request"
"""The context that binds the request to its column."""


async def begin(
    tx: Transaction,
    keyring: Keyring,
    kind: str,
    *,
    tenant_id: UUID,
    member_id: UUID | None = None,
    request: bytes = b"",
    key: str | None = None,
    start_time: datetime | None = None,
    total: int = 0,
) -> Row:
    """Adds an operation, or answers the live one with the same key. The scope holds the tenant."""
    rows, operation_id = OperationRows(tx), tx.clock.new_id()
    sealed = b""
    if request:
        sealed = (await keyring.key(tx, tenant_id)).encrypt(request, REQUEST, operation_id)
    values = {
        "tenant_id": tenant_id,
        "id": operation_id,
        "kind": kind,
        "member_id": member_id,
        "request": sealed,
        "total": total,
        "start": start_time or tx.now,
        "key": key,
        "now": tx.now,
    }
    added = await rows.add(values)
    found = await rows.get(operation_id) if added else await rows.live(tenant_id, kind, key or "")
    if found is None:
        raise Unavailable("The operation ended just now; try again.", retry_after=1)
    return found
