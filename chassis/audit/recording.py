"""Writing audit entries: in the transaction of the change, with their event, the private part encrypted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from google.protobuf.descriptor_pool import Default
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from psycopg.types.json import Jsonb

from chassis import timestamps
from chassis.audit.acts import SYSTEM, Act
from chassis.call import CallerKind
from chassis.crypto import KeyDestroyed, Keyring
from chassis.database.transactions import Transaction
from wrtn.audit.v1 import audit_pb2

PRIVATE = "wrtn_audit_entries.private"
"""The context that binds the private part to its column."""

_KINDS = {
    SYSTEM: audit_pb2.ACTOR_KIND_SYSTEM,
    CallerKind.ANONYMOUS.value: audit_pb2.ACTOR_KIND_ANONYMOUS,
    CallerKind.MEMBER.value: audit_pb2.ACTOR_KIND_MEMBER,
    CallerKind.SERVICE.value: audit_pb2.ACTOR_KIND_SERVICE,
    CallerKind.PEER.value: audit_pb2.ACTOR_KIND_PEER,
}

_INSERT = """
INSERT INTO wrtn_audit_entries (tenant_id, id, action, actor_kind, member_id, account_id, login_id,
    credential_id, peer, staff_right, target_id, method, request_id, trace_id, details, private, create_time)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_QUEUE = "INSERT INTO wrtn_audit_unsealed (tenant_id, entry_id) VALUES (%s, %s)"


class AuditTrail:
    """Writes the audit entries of one service; it tells of them if its contract has AuditRecorded."""

    def __init__(self, service: str, keyring: Keyring) -> None:
        self._service = service
        self._keyring = keyring
        self._event = _event_of(service)

    async def record(self, tx: Transaction, acts: Sequence[Act]) -> None:
        """Writes them, queues them for their seal, and publishes each with its ids."""
        # By tenant, so that two transactions create missing keys in one order and cannot deadlock.
        ordered = sorted(acts, key=lambda act: (act.tenant_id, act.id))
        await tx.widen(*(act.tenant_id for act in ordered))
        rows = [_row(act, await self._private(tx, act)) for act in ordered]
        driver = await tx.driver()
        async with driver.pipeline(), driver.cursor() as cursor:
            await cursor.executemany(_INSERT, rows)
            await cursor.executemany(_QUEUE, [(act.tenant_id, act.id) for act in ordered])
        if self._event is not None:
            for act in ordered:
                event = self._event(entry=_entry(act, self._service))
                tx.publish(event, aggregate_id=act.id, tenant_id=act.tenant_id)

    async def _private(self, tx: Transaction, act: Act) -> bytes | None:
        """Encrypts the private part; of an erased owner nothing more is kept than ids."""
        if not act.private:
            return None
        try:
            key = await self._keyring.key(tx, act.tenant_id)
        except KeyDestroyed:
            return None
        return key.encrypt(act.plain_text(), PRIVATE, act.tenant_id, act.id)


def _event_of(service: str) -> type[Message] | None:
    try:
        return GetMessageClass(Default().FindMessageTypeByName(f"wrtn.{service}.v1.AuditRecorded"))
    except KeyError:
        return None


def _row(act: Act, private: bytes | None) -> tuple[Any, ...]:
    caller = act.caller
    return (
        act.tenant_id,
        act.id,
        act.action,
        act.kind,
        caller.member_id,
        caller.account_id,
        caller.login_id,
        caller.credential_id,
        caller.peer or "",
        caller.staff,
        act.target_id,
        act.method,
        act.request_id,
        act.trace_id,
        Jsonb(dict(act.details)),
        private,
        act.time,
    )


def _entry(act: Act, service: str) -> audit_pb2.AuditEntry:
    caller = act.caller
    actor = audit_pb2.Actor(
        kind=_KINDS[act.kind],
        member_id=_text(caller.member_id),
        account_id=_text(caller.account_id),
        login_id=_text(caller.login_id),
        credential_id=_text(caller.credential_id),
        peer=caller.peer or "",
        staff_right=caller.staff,  # type: ignore[arg-type]
    )
    return audit_pb2.AuditEntry(
        id=str(act.id),
        tenant_id=str(act.tenant_id),
        service=service,
        action=act.action,
        actor=actor,
        target_id=_text(act.target_id),
        method=act.method,
        request_id=act.request_id,
        trace_id=act.trace_id,
        create_time=timestamps.of(act.time),
    )


def _text(id_: UUID | None) -> str:
    return str(id_) if id_ is not None else ""
