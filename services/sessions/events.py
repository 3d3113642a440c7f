"""The events that this service publishes, but for UsageRecorded, which the group commit writes by itself."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from google.protobuf.message import DecodeError, Message

from chassis.database import Transaction
from chassis.events.bus import Notice
from chassis.events.envelope import subject_of
from services.sessions.models import PLATFORM, Procedure, Session
from services.sessions.shapes import SHAPES


def created(tx: Transaction, row: Session) -> None:
    """Tells that a session was created: its version is 1."""
    shape = SHAPES[row.kind]
    event = shape.created(**{shape.id_field: str(row.id)}, account_id=str(row.account_id))
    tx.publish(event, aggregate_id=row.id, version=1)


def deleted(tx: Transaction, row: Session) -> None:
    """Tells that a session was deleted."""
    _changed(tx, row, SHAPES[row.kind].deleted)


def undeleted(tx: Transaction, row: Session) -> None:
    """Tells that a session was brought back."""
    _changed(tx, row, SHAPES[row.kind].undeleted)


def purged(tx: Transaction, row: Session) -> None:
    """Tells that what was said in a session is destroyed."""
    _changed(tx, row, SHAPES[row.kind].purged)


OfProcedure = Callable[..., Message]
"""Makes an event of a procedure, of its id and its enterprise's."""


def procedure(tx: Transaction, row: Procedure, kind: OfProcedure) -> None:
    """Tells what became of a procedure; its revision is that after it."""
    enterprise_id = str(row.tenant_id) if row.tenant_id != PLATFORM else ""
    event = kind(procedure_id=str(row.id), enterprise_id=enterprise_id)
    tx.publish(event, aggregate_id=row.id, version=row.revision, tenant_id=row.tenant_id)


DELETED = {subject_of(shape.deleted): shape for shape in SHAPES.values()}
"""The kinds of sessions, by the subject on which their deletion is told."""


def deleted_session(notice: Notice) -> UUID | None:
    """Answers the session whose deletion the other replicas tell of; None for what is no such event."""
    shape = DELETED[notice.subject]
    try:
        return UUID(getattr(shape.deleted.FromString(notice.data), shape.id_field))
    except (DecodeError, ValueError):
        return None


def _changed(tx: Transaction, row: Session, kind: Callable[..., Message]) -> None:
    row.version += 1
    event = kind(**{SHAPES[row.kind].id_field: str(row.id)})
    tx.publish(event, aggregate_id=row.id, version=row.version, tenant_id=row.tenant_id)
