"""How far events have come: what is published, what of it a consumer has acknowledged."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.message import Message
from nats.js.errors import NotFoundError

from chassis.database.transactions import Snapshot
from chassis.events.bus import Bus
from chassis.events.envelope import subject_of
from chassis.events.streams import stream_of

_OLDEST = "SELECT min(create_time) FROM wrtn_outbox WHERE sent_time IS NULL AND subject = %s"


async def oldest_unsent(snapshot: Snapshot, kind: type[Message]) -> datetime | None:
    """Answers when the oldest committed event of this class was written that is not published yet.

    For the worker role, which reads the outbox.
    """
    cursor = await (await snapshot.driver()).execute(_OLDEST, (subject_of(kind),))
    row = await cursor.fetchone()
    return row[0] if row is not None else None


async def last_sequence(bus: Bus, source: str, kind: type[Message]) -> int:
    """Answers the sequence of the last event of this class in the stream of `source`; 0 if there is none."""
    try:
        message = await bus.jetstream.get_last_msg(stream_of(source), subject_of(kind))
    except NotFoundError:
        return 0
    return message.seq or 0


async def acknowledged(bus: Bus, source: str, durable: str, sequence: int) -> bool:
    """Whether the durable consumer has acknowledged everything up to a sequence that is one of its events.

    False for a consumer or a stream that there is not.
    """
    try:
        info = await bus.jetstream.consumer_info(stream_of(source), durable)
    except NotFoundError:
        return False
    return info.ack_floor is not None and info.ack_floor.stream_seq >= sequence
