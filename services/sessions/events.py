"""The events that this service publishes, but for UsageRecorded, which the group commit writes by itself."""

from __future__ import annotations

from chassis.database import Transaction
from services.sessions.models import ChatSession
from wrtn.sessions.v1.events_pb2 import ChatSessionCreated, ChatSessionDeleted

CREATED_VERSION = 1
DELETED_VERSION = 2
"""A session has no other state: the version of its aggregate follows from the fact."""


def created(tx: Transaction, row: ChatSession) -> None:
    """Tells that a session was created."""
    event = ChatSessionCreated(chat_session_id=str(row.id), account_id=str(row.account_id))
    tx.publish(event, aggregate_id=row.id, version=CREATED_VERSION)


def deleted(tx: Transaction, row: ChatSession) -> None:
    """Tells that a session was deleted."""
    tx.publish(ChatSessionDeleted(chat_session_id=str(row.id)), aggregate_id=row.id, version=DELETED_VERSION)
