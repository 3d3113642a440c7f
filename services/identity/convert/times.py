"""Moments, as messages. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import timestamps


def timestamp(moment: datetime | None) -> Timestamp | None:
    """Answers the moment; None leaves the field unset."""
    return timestamps.of(moment) if moment is not None else None


def moment(message: Message, field: str) -> datetime | None:
    """Reads a moment of a request; None for a field that is not set."""
    stamp: Timestamp = getattr(message, field)
    return stamp.ToDatetime(UTC) if message.HasField(field) else None
