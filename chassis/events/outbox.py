"""The outbox: the event's row, written in the transaction of the change that it tells of."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from google.protobuf.message import Message

from chassis.events.envelope import subject_of
from chassis.telemetry import traceparent

# An event carries ids. JetStream would take 1 MiB; this bound keeps a consumer's buffer small.
MAX_PAYLOAD = 64 * 1024


class Row(NamedTuple):
    """One outbox row as inserted, in the order of `COLUMNS`."""

    id: UUID
    tenant_id: UUID | None
    subject: str
    aggregate_id: UUID
    aggregate_version: int
    payload: bytes
    traceparent: str | None


COLUMNS = Row._fields
# psycopg parameters; for executemany or a pipeline.
INSERT = f"INSERT INTO wrtn_outbox ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"  # noqa: S608
# For bulk inserts: `async with cursor.copy(COPY) as copy: await copy.write_row(row)`.
COPY = f"COPY wrtn_outbox ({', '.join(COLUMNS)}) FROM STDIN"


def row_of(
    event: Message, *, event_id: UUID, aggregate_id: UUID, version: int = 1, tenant_id: UUID | None = None
) -> Row:
    """Builds the row of an event, with the current trace. `version` is the aggregate's after the change.

    Raises TypeError for a message that is no event, ValueError for a payload above MAX_PAYLOAD bytes.
    """
    payload = event.SerializeToString()
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"{event.DESCRIPTOR.full_name} has {len(payload)} bytes: events carry ids")
    return Row(event_id, tenant_id, subject_of(type(event)), aggregate_id, version, payload, traceparent())
