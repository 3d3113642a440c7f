"""The index of audit copies: what every service tells, and the search in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot, Transaction
from chassis.events.consumer import Consumer
from chassis.events.envelope import Event
from services.analytics.models import AuditCopy
from wrtn.analytics.v1 import events_pb2 as analytics
from wrtn.analytics.v1.audit_pb2 import SearchAuditEntriesRequest
from wrtn.audit.v1.audit_pb2 import AuditEntry
from wrtn.billing.v1 import events_pb2 as billing
from wrtn.enterprise.v1 import events_pb2 as enterprise
from wrtn.identity.v1 import events_pb2 as identity
from wrtn.sessions.v1 import events_pb2 as sessions

Place = tuple[datetime, UUID]


async def copy(tx: Transaction, events: Sequence[Event[Any]]) -> None:
    """Adds the entries; one that comes again changes nothing."""
    rows = [_row(event.message.entry) for event in events]
    await tx.session.execute(insert(AuditCopy).on_conflict_do_nothing(), rows)


CONSUMERS = (
    Consumer("audit-identity", "identity", {identity.AuditRecorded: copy}),
    Consumer("audit-enterprise", "enterprise", {enterprise.AuditRecorded: copy}),
    Consumer("audit-sessions", "sessions", {sessions.AuditRecorded: copy}),
    Consumer("audit-billing", "billing", {billing.AuditRecorded: copy}),
    Consumer("audit-analytics", "analytics", {analytics.AuditRecorded: copy}),
)


@dataclass(frozen=True, slots=True)
class Found:
    """One copy, with its place in the order."""

    create_time: datetime
    id: UUID
    entry: AuditEntry


async def search(
    snapshot: Snapshot, request: SearchAuditEntriesRequest, after: Place | None, limit: int
) -> list[Found]:
    """Answers the newest entries that the request asks for and the snapshot may see."""
    query = _asked(request)
    if after is not None:
        query = query.where(tuple_(AuditCopy.create_time, AuditCopy.id) < after)
    newest = query.order_by(AuditCopy.create_time.desc(), AuditCopy.id.desc()).limit(limit)
    rows = (await snapshot.session.execute(newest)).all()
    return [Found(time, id_, AuditEntry.FromString(entry)) for time, id_, entry in rows]


def _asked(request: SearchAuditEntriesRequest) -> Select[datetime, UUID, bytes]:
    query = select(AuditCopy.create_time, AuditCopy.id, AuditCopy.entry)
    if request.tenant_id:
        query = query.where(AuditCopy.tenant_id == UUID(request.tenant_id))
    if request.actor_id:
        query = query.where(AuditCopy.actor_id == UUID(request.actor_id))
    if request.target_id:
        query = query.where(AuditCopy.target_id == UUID(request.target_id))
    if request.action.endswith("."):
        query = query.where(AuditCopy.action.startswith(request.action, autoescape=True))
    elif request.action:
        query = query.where(AuditCopy.action == request.action)
    if request.HasField("start_time"):
        query = query.where(AuditCopy.create_time >= request.start_time.ToDatetime(UTC))
    if request.HasField("end_time"):
        query = query.where(AuditCopy.create_time < request.end_time.ToDatetime(UTC))
    return query


def _row(entry: AuditEntry) -> dict[str, object]:
    actor = entry.actor.member_id or entry.actor.credential_id
    return {
        "tenant_id": UUID(entry.tenant_id),
        "id": UUID(entry.id),
        "service": entry.service,
        "action": entry.action,
        "actor_id": UUID(actor) if actor else None,
        "target_id": UUID(entry.target_id) if entry.target_id else None,
        "create_time": entry.create_time.ToDatetime(UTC),
        "entry": entry.SerializeToString(),
    }
