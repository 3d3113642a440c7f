"""How long an enterprise keeps its sessions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from chassis import timestamps
from chassis.database import Snapshot, Transaction
from services.sessions.models import Retention
from services.sessions.store import PlanRetentions, Retentions
from wrtn.sessions.v1 import retention_pb2 as pb

DELETED_DAYS = 30
"""How long a deleted session can be brought back where nobody says otherwise."""

CHANGED = "retention.changed"


class Kept(NamedTuple):
    """How long a tenant keeps sessions: as it says itself, and no longer than its plan lets it."""

    idle: timedelta | None
    """Since the last activity; None for ever."""
    deleted: timedelta


async def kept(tx: Snapshot, tenant_id: UUID) -> Kept:
    """Answers how long the tenant keeps sessions."""
    row, most = await Retentions(tx, tenant_id).get(), await PlanRetentions(tx, tenant_id).days()
    idle = (row.keep_days if row is not None else 0) or most
    deleted = row.deleted_days if row is not None else DELETED_DAYS
    if most:
        idle, deleted = min(idle, most), min(deleted, most)
    return Kept(timedelta(days=idle) if idle else None, timedelta(days=deleted))


async def change(tx: Transaction, tenant_id: UUID, changes: dict[str, Any], reason: str) -> Retention:
    """Changes the setting, and says so in the audit trail."""
    store = Retentions(tx, tenant_id)
    known = await store.get()
    values = {
        "keep_days": known.keep_days if known is not None else 0,
        "deleted_days": known.deleted_days if known is not None else DELETED_DAYS,
    } | changes
    tx.audit(CHANGED, tenant_id=tenant_id, target_id=tenant_id, reason=reason, **values)
    return await store.put(values | {"update_time": tx.now})


def shown(tenant_id: UUID, row: Retention | None, plan_days: int) -> pb.Retention:
    """Answers the proto of a setting, or of none."""
    if row is None:
        return pb.Retention(enterprise_id=str(tenant_id), deleted_days=DELETED_DAYS, plan_days=plan_days)
    return pb.Retention(
        enterprise_id=str(tenant_id),
        plan_days=plan_days,
        keep_days=row.keep_days,
        deleted_days=row.deleted_days,
        update_time=timestamps.of(row.update_time),
    )
