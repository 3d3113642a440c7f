"""The wire form of an event: its subject, its CloudEvents headers, and the way back to a message.

Headers follow the CloudEvents NATS binding, binary mode. They carry ids, never content.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Generic, TypeVar
from uuid import UUID

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message

from wrtn.events.v1 import events_pb2

ID = "ce-id"
SOURCE = "ce-source"
TYPE = "ce-type"
TIME = "ce-time"
SUBJECT = "ce-subject"
SPEC_VERSION = "ce-specversion"
TENANT = "ce-wrtntenant"
VERSION = "ce-wrtnversion"
TRACEPARENT = "traceparent"
# JetStream drops a second message with the same value inside the stream's duplicate window.
MESSAGE_ID = "Nats-Msg-Id"

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Event(Generic[M]):
    """A consumed fact. `version` is the aggregate's after the change: delivery order is not promised."""

    id: UUID
    time: datetime
    tenant_id: UUID | None
    aggregate_id: UUID
    version: int
    message: M


class Undecodable(Exception):
    """The bytes are no event that this process knows how to read."""


def subject_of(kind: type[Message]) -> str:
    """Answers the full subject of an event class: its proto package, a dot, and its declared subject.

    Raises TypeError for a message without the option `(wrtn.events.v1.subject)`.
    """
    return _subject(kind.DESCRIPTOR)


@cache
def _subject(descriptor: Descriptor) -> str:
    fact: str = descriptor.GetOptions().Extensions[events_pb2.subject]
    if not fact:
        raise TypeError(f"{descriptor.full_name} declares no (wrtn.events.v1.subject): it is not an event")
    return f"{descriptor.file.package}.{fact}"


def headers(
    event_id: UUID,
    tenant_id: UUID | None,
    subject: str,
    aggregate_id: UUID,
    version: int,
    traceparent: str | None,
    time: datetime,
    epoch: str | None,
) -> dict[str, str]:
    """Builds the headers of one publish. `epoch` sets a resend apart inside the duplicate window."""
    identifier = str(event_id)
    found = {
        ID: identifier,
        SOURCE: subject[: subject.index(".v")],
        TYPE: subject,
        TIME: time.isoformat(),
        SUBJECT: str(aggregate_id),
        SPEC_VERSION: "1.0",
        VERSION: str(version),
        MESSAGE_ID: f"{identifier}.{epoch}" if epoch else identifier,
    }
    if tenant_id is not None:
        found[TENANT] = str(tenant_id)
    if traceparent:
        found[TRACEPARENT] = traceparent
    return found


def event_id(found: Mapping[str, str] | None) -> UUID | None:
    """Answers the event's id if the headers hold a readable one."""
    try:
        return UUID((found or {})[ID])
    except (KeyError, ValueError):
        return None


def decode(kind: type[M], found: Mapping[str, str] | None, payload: bytes) -> Event[M]:
    """Reads one delivery. Raises Undecodable naming what is wrong, never what it holds."""
    try:
        if found is None:
            raise Undecodable("no headers")
        tenant = found.get(TENANT)
        return Event(
            UUID(found[ID]),
            datetime.fromisoformat(found[TIME]),
            UUID(tenant) if tenant else None,
            UUID(found[SUBJECT]),
            int(found[VERSION]),
            kind.FromString(payload),
        )
    except KeyError as error:
        raise Undecodable(f"header {error} is missing") from error
    except (ValueError, DecodeError) as error:
        raise Undecodable(
            f"{type(error).__name__} in an event of type {kind.DESCRIPTOR.full_name}"
        ) from error
