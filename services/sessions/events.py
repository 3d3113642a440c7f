"""The events that this service publishes, but for UsageRecorded, which the group commit writes by itself."""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.message import Message

from chassis.database import Transaction
from services.sessions.models import Session
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


def _changed(tx: Transaction, row: Session, kind: Callable[..., Message]) -> None:
    row.version += 1
    event = kind(**{SHAPES[row.kind].id_field: str(row.id)})
    tx.publish(event, aggregate_id=row.id, version=row.version, tenant_id=row.tenant_id)
