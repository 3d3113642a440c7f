"""What an enterprise keeps from being purged, for reasons of law."""

from __future__ import annotations

from uuid import UUID

from chassis import timestamps
from chassis.crypto import DataKey, Keyring
from chassis.database import Transaction
from services.sessions import content
from services.sessions.errors import AccountNotFound, HoldNotFound, SessionNotFound
from services.sessions.models import LegalHold
from services.sessions.store import LegalHolds
from wrtn.sessions.v1 import legal_holds_pb2 as pb

PLACED = "legal_hold.placed"
RELEASED = "legal_hold.released"


async def place(
    tx: Transaction, keyring: Keyring, member_id: UUID, request: pb.CreateLegalHoldRequest
) -> pb.LegalHold:
    """Places a hold; from the commit on nothing of its subject is purged."""
    tenant_id = UUID(request.enterprise_id)
    session_id = UUID(request.chat_session_id) if request.chat_session_id else None
    account_id = UUID(request.account_id) if request.account_id else None
    store = LegalHolds(tx, tenant_id)
    await store.exclude_purges()
    if not await store.can_hold(session_id, account_id):
        raise SessionNotFound if session_id is not None else AccountNotFound
    key = await keyring.key(tx, tenant_id)
    hold_id = tx.clock.new_id()
    row = LegalHold(
        tenant_id=tenant_id,
        id=hold_id,
        chat_session_id=session_id,
        account_id=account_id,
        reason=content.seal_reason(key, hold_id, request.reason),
        create_member_id=member_id,
        create_time=tx.now,
    )
    await store.add(row)
    _audit(tx, PLACED, row, request.reason)
    return shown(row, key)


async def release(
    tx: Transaction, keyring: Keyring, tenant_id: UUID, hold_id: UUID, reason: str
) -> pb.LegalHold:
    """Ends a hold; raises HoldNotFound."""
    row = await LegalHolds(tx, tenant_id).lasting(hold_id)
    if row is None:
        raise HoldNotFound
    row.release_time = tx.now
    _audit(tx, RELEASED, row, reason)
    return shown(row, await keyring.key(tx, tenant_id))


def shown(row: LegalHold, key: DataKey) -> pb.LegalHold:
    """Answers the proto of a hold."""
    return pb.LegalHold(
        id=str(row.id),
        enterprise_id=str(row.tenant_id),
        chat_session_id=str(row.chat_session_id or ""),
        account_id=str(row.account_id or ""),
        reason=content.open_reason(key, row.id, row.reason),
        create_member_id=str(row.create_member_id),
        create_time=timestamps.of(row.create_time),
        release_time=timestamps.of(row.release_time) if row.release_time is not None else None,
    )


def _audit(tx: Transaction, action: str, row: LegalHold, reason: str) -> None:
    tx.audit(
        action,
        tenant_id=row.tenant_id,
        target_id=row.id,
        reason=reason,
        chat_session_id=row.chat_session_id,
        account_id=row.account_id,
    )
