"""The events that this service publishes, but for UsageRecorded, which the group commit writes by itself."""

from __future__ import annotations

from google.protobuf.message import Message

from chassis.database import Transaction
from services.sessions.models import ChatSession
from wrtn.sessions.v1.events_pb2 import (
    ChatSessionCreated,
    ChatSessionDeleted,
    ChatSessionPurged,
    ChatSessionUndeleted,
)


def created(tx: Transaction, row: ChatSession) -> None:
    """Tells that a session was created: its version is 1."""
    event = ChatSessionCreated(chat_session_id=str(row.id), account_id=str(row.account_id))
    tx.publish(event, aggregate_id=row.id, version=1)


def deleted(tx: Transaction, row: ChatSession) -> None:
    """Tells that a session was deleted."""
    _changed(tx, row, ChatSessionDeleted(chat_session_id=str(row.id)))


def undeleted(tx: Transaction, row: ChatSession) -> None:
    """Tells that a session was brought back."""
    _changed(tx, row, ChatSessionUndeleted(chat_session_id=str(row.id)))


def purged(tx: Transaction, row: ChatSession) -> None:
    """Tells that what was said in a session is destroyed."""
    _changed(tx, row, ChatSessionPurged(chat_session_id=str(row.id)))


def _changed(tx: Transaction, row: ChatSession, event: Message) -> None:
    row.version += 1
    tx.publish(event, aggregate_id=row.id, version=row.version, tenant_id=row.tenant_id)
