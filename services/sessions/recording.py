"""One group commit: the statements that store a batch of frames, in two round trips.

All rows of a kind go in one statement, as arrays. The row of each session is locked, in the order of its
key, before anything is decided: so sequences have no gaps and sums miss nothing, and two batches never
wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import make_url

from chassis import timestamps
from chassis.clock import Clock
from chassis.database import Database, Scope, Transaction
from chassis.database.transactions import Driver
from chassis.events.envelope import subject_of
from services.sessions.arrays import Bytes, Numbers, Texts, Uuids, teach
from services.sessions.batch import Key, Known, Plan, SessionState, attached, decide
from services.sessions.frames import NO_RESERVATION, Outcome, Pending, canonical
from services.sessions.usage import Counts, Units, units_shown, usage_of
from wrtn.sessions.v1.events_pb2 import UsageRecorded

Cursor = psycopg.AsyncCursor[tuple[Any, ...]]
_NO_RESERVATION = UUID(bytes=NO_RESERVATION)
_COUNTS = ", ".join(Counts._fields)
_USED = Counts._fields + Units._fields

# Every statement looks rows up by their keys. A plan made while the tables were small would scan them, and
# stay in use while they grow: so the connections of the recorder are not allowed to plan anything else.
_PLANS = "-c enable_seqscan=off -c enable_bitmapscan=off -c enable_hashjoin=off -c enable_mergejoin=off"

_LOCK = """
SELECT uuid_send(wanted.tenant_id), uuid_send(wanted.id), last_sequence, delete_time IS NOT NULL
FROM unnest(%b, %b) AS wanted (tenant_id, id)
CROSS JOIN LATERAL (
    SELECT last_sequence, delete_time FROM wrtn_chat_sessions AS s
    WHERE s.tenant_id = wanted.tenant_id AND s.id = wanted.id FOR NO KEY UPDATE
) AS session
"""
_CLOSED = """
SELECT uuid_send(wanted.tenant_id), uuid_send(wanted.id)
FROM unnest(%b, %b) AS wanted (tenant_id, id)
CROSS JOIN LATERAL (
    SELECT FROM wrtn_connections AS c
    WHERE c.tenant_id = wanted.tenant_id AND c.id = wanted.id AND c.disconnect_time IS NOT NULL LIMIT 1
) AS ended
"""
_KNOWN = f"""
SELECT uuid_send(wanted.tenant_id), uuid_send(wanted.id),
       uuid_send(chat_session_id), sequence, create_time, type, body, model,
       uuid_send(coalesce(reservation_id, '{_NO_RESERVATION}')), (
           SELECT string_agg(uuid_send(file_id), ''::bytea ORDER BY f.sequence) FROM wrtn_history_files AS f
           WHERE f.tenant_id = wanted.tenant_id AND f.history_id = wanted.id
       ), {", ".join(_USED)}
FROM unnest(%b, %b) AS wanted (tenant_id, id)
CROSS JOIN LATERAL (
    SELECT * FROM wrtn_histories AS h WHERE h.tenant_id = wanted.tenant_id AND h.id = wanted.id LIMIT 1
) AS history
"""  # noqa: S608
# -1 stands for a count that is not there, '' for a text, zeros for a reservation.
_INSERT = f"""
INSERT INTO wrtn_histories (tenant_id, id, chat_session_id, connection_id, attribution_id,
                            sequence, type, body, model, reservation_id, {", ".join(_USED)}, create_time)
SELECT tenant_id, id, chat_session_id, connection_id, attribution_id,
       sequence, type, body, nullif(model, ''), nullif(reservation_id, '{_NO_RESERVATION}'),
       {", ".join(f"nullif({name}, -1)" for name in _USED)}, %b
FROM unnest({", ".join(["%b"] * (10 + len(_USED)))})
    AS new (tenant_id, id, chat_session_id, connection_id, attribution_id,
            sequence, type, body, model, reservation_id, {", ".join(_USED)})
"""  # noqa: S608
_GROW = f"""
UPDATE wrtn_chat_sessions AS s
SET last_sequence = grown.last_sequence, last_activity_time = greatest(s.last_activity_time, %b),
    {", ".join(f"{name} = s.{name} + grown.{name}" for name in Counts._fields)}
FROM unnest({", ".join(["%b"] * (3 + len(Counts._fields)))})
    AS grown (tenant_id, id, last_sequence, {_COUNTS})
WHERE s.tenant_id = grown.tenant_id AND s.id = grown.id
"""  # noqa: S608
_TELL = """
INSERT INTO wrtn_outbox (id, tenant_id, subject, aggregate_id, aggregate_version, payload, traceparent)
SELECT id, tenant_id, %s, aggregate_id, 1, payload, nullif(traceparent, '')
FROM unnest(%b, %b, %b, %b, %b) AS told (id, tenant_id, aggregate_id, payload, traceparent)
"""
# Only batches with attached files look for them, and write them down.
_READY = """
SELECT uuid_send(wanted.tenant_id), uuid_send(wanted.id), uuid_send(chat_session_id)
FROM unnest(%b, %b) AS wanted (tenant_id, id)
CROSS JOIN LATERAL (
    SELECT chat_session_id FROM wrtn_files AS f
    WHERE f.tenant_id = wanted.tenant_id AND f.id = wanted.id AND f.state = 2 LIMIT 1
) AS file
"""
_ATTACH = """
INSERT INTO wrtn_history_files (tenant_id, history_id, sequence, file_id)
SELECT tenant_id, history_id, sequence, file_id
FROM unnest(%b, %b, %b, %b) AS new (tenant_id, history_id, sequence, file_id)
"""
_ABSENT = (-1,) * len(Counts._fields)
_NO_UNITS = (-1,) * len(Units._fields)


def connect(url: str, *, lanes: int, clock: Clock) -> Database:
    """Answers a database for group commits alone: a connection a lane, so that slow reads hold none up."""
    given = make_url(url)
    options = f"{given.query.get('options', '')} {_PLANS}".strip()
    chosen = given.update_query_dict({"options": options})
    return Database(chosen.render_as_string(hide_password=False), pool_size=lanes, clock=clock)


async def record(db: Database, batch: Sequence[Pending], clock: Clock) -> list[Outcome]:
    """Stores the batch in one transaction and answers an outcome a frame; all of them, or an error.

    Running it again with the same frames changes nothing and answers the same, so an error after which
    nobody knows whether it was committed is answered by trying again.
    """
    tenants = {frame.authority.holder.tenant_id for frame in batch}
    look = _Look(batch)
    async with db.transaction(Scope(frozenset(tenants)), first=look.ask) as tx:
        driver = await tx.driver()
        sessions, closed, known = await look.answers()
        files = await _ready(driver, batch) if any(frame.files for frame in batch) else {}
        plan = decide(batch, sessions, closed, known, files, tx.now)
        await _write(tx, plan, clock)
    return plan.outcomes


class _Look:
    """Locks the sessions of a batch, and reads what is stored already, in the round trip that begins."""

    def __init__(self, batch: Sequence[Pending]) -> None:
        self._batch = batch
        self._found: list[Cursor] = []

    async def ask(self, driver: Driver) -> None:
        """Sends the statements; each sees what was committed before the locks were had."""
        teach(driver)
        places = [frame.place for frame in self._batch]
        sessions = sorted({(place.tenant, place.session) for place in places})
        connections = list({(place.tenant, place.connection) for place in places})
        histories = [(frame.place.tenant, frame.id) for frame in self._batch]
        self._found = [
            await driver.cursor(binary=True).execute(statement, _pairs(keys))
            for statement, keys in ((_LOCK, sessions), (_CLOSED, connections), (_KNOWN, histories))
        ]

    async def answers(self) -> tuple[dict[Key, SessionState], set[Key], dict[Key, Known]]:
        """Answers the sessions as they are locked, the connections that ended, and the histories."""
        locked, closed, known = [await each.fetchall() for each in self._found]
        return (
            {(row[0], row[1]): SessionState(row[2], row[3]) for row in locked},
            {(row[0], row[1]) for row in closed},
            {(row[0], row[1]): _known(row[2:]) for row in known},
        )


async def _ready(driver: Driver, batch: Sequence[Pending]) -> dict[Key, bytes]:
    """Answers the sessions of the attached files that are ready; the locks keep them so."""
    wanted = list({(frame.place.tenant, each) for frame in batch for each in attached(frame)})
    found = await driver.cursor(binary=True).execute(_READY, _pairs(wanted))
    return {(row[0], row[1]): row[2] for row in await found.fetchall()}


async def _write(tx: Transaction, plan: Plan, clock: Clock) -> None:
    """Writes the plan and commits, in one round trip."""
    if not plan.new:
        return
    driver, now = await tx.driver(), tx.now
    async with driver.pipeline():
        await driver.execute(_INSERT, _history_columns(plan, now))
        await driver.execute(_GROW, _growth_columns(plan, now))
        if any(frame.files for frame, _ in plan.new):
            await driver.execute(_ATTACH, _attachment_columns(plan))
        used = [each for each in plan.new if each[0].counts is not None]
        if used:
            await driver.execute(_TELL, _event_columns(used, now, clock))
            tx.told()
        await driver.execute("COMMIT")


def _pairs(keys: Sequence[Key]) -> tuple[Uuids, Uuids]:
    return Uuids.of([key[0] for key in keys]), Uuids.of([key[1] for key in keys])


def _known(row: Sequence[Any]) -> Known:
    session, sequence, create_time, type_, sealed, model, reservation, files, *used = row
    counts, units = used[: len(Counts._fields)], used[len(Counts._fields) :]
    return Known(
        session,
        sequence,
        create_time,
        type_,
        sealed,
        model or "",
        reservation,
        files or b"",
        Counts(*counts) if counts[0] is not None else None,
        Units(*units) if units[0] is not None else None,
    )


def _history_columns(plan: Plan, now: datetime) -> list[object]:
    frames = [frame for frame, _ in plan.new]
    used = zip(*[(frame.counts or _ABSENT) + (frame.units or _NO_UNITS) for frame in frames], strict=True)
    return [
        now,
        Uuids.of([frame.place.tenant for frame in frames]),
        Uuids.of([frame.id for frame in frames]),
        Uuids.of([frame.place.session for frame in frames]),
        Uuids.of([frame.place.connection for frame in frames]),
        Uuids.of([frame.pinned.id.bytes for frame in frames]),
        Numbers.of([sequence for _, sequence in plan.new]),
        Texts.of([frame.type for frame in frames]),
        Bytes.of([frame.sealed for frame in frames]),
        Texts.of([frame.model for frame in frames]),
        Uuids.of([frame.reservation for frame in frames]),
        *[Numbers.of(column) for column in used],
    ]


def _attachment_columns(plan: Plan) -> list[object]:
    rows = [
        (frame.place.tenant, frame.id, sequence, file_id)
        for frame, _ in plan.new
        for sequence, file_id in enumerate(attached(frame), start=1)
    ]
    tenants, histories, sequences, files = zip(*rows, strict=True)
    return [Uuids.of(tenants), Uuids.of(histories), Numbers.of(sequences), Uuids.of(files)]


def _growth_columns(plan: Plan, now: datetime) -> list[object]:
    grown = plan.growth.values()
    counts = zip(*[each.counts for each in grown], strict=True)
    return [
        now,
        *_pairs(list(plan.growth)),
        Numbers.of([each.last_sequence for each in grown]),
        *[Numbers.of(column) for column in counts],
    ]


def _event_columns(used: Sequence[tuple[Pending, int]], now: datetime, clock: Clock) -> list[object]:
    """Builds the UsageRecorded of each frame with usage. Its aggregate is the history: that never changes."""
    use_time = timestamps.of(now)
    return [
        subject_of(UsageRecorded),
        Uuids.of([clock.new_id().bytes for _ in used]),
        Uuids.of([frame.place.tenant for frame, _ in used]),
        Uuids.of([frame.id for frame, _ in used]),
        Bytes.of([_usage_recorded(frame, use_time).SerializeToString() for frame, _ in used]),
        Texts.of([frame.traceparent or "" for frame, _ in used]),
    ]


def _usage_recorded(frame: Pending, use_time: Timestamp) -> UsageRecorded:
    return UsageRecorded(
        history_id=canonical(frame.sent_id),
        chat_session_id=frame.authority.session_text,
        model=frame.model or frame.authority.model,
        tokens=usage_of(frame.counts) if frame.counts is not None else None,
        units=units_shown(frame.units) if frame.units is not None else None,
        attribution=frame.pinned.message,
        use_time=use_time,
        procedure_id=frame.authority.procedure,
        reservation_id="" if frame.reservation == NO_RESERVATION else str(UUID(bytes=frame.reservation)),
    )
