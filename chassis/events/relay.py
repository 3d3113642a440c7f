"""The relay: publishes what is committed in the outbox, once at least, and again when the stream is lost."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

import nats.errors
import psycopg
import structlog

from chassis.database.engine import Database
from chassis.database.transactions import Driver
from chassis.errors import DomainError
from chassis.events import envelope, metrics
from chassis.events.bus import Bus
from chassis.events.publisher import Outgoing, Publisher
from chassis.events.streams import ensure_stream, stream_of
from chassis.rest import rest
from chassis.scope import Scope

log = structlog.get_logger(__name__)

# Seconds. A wake is the rule; this is for what other processes, or dead ones, have committed.
IDLE = 1.0
# Seconds from one pass to the next under load, so that small transactions share a pass: it costs as much for
# one event as for a hundred. The first event after a pause does not wait.
PACE = 0.05
RETRY_DELAY = 0.5
# Seconds between looks at the stream while nothing seems wrong.
CHECK_EVERY = 10.0
OBSERVE_EVERY = 5.0
# Setting a large outbox to be sent again may take this many seconds.
RESEND_LIMIT = 600.0

# SKIP LOCKED: replicas share the outbox, and never by `id > last`, since commits come out of order.
_NEXT = """
SELECT id, tenant_id, subject, aggregate_id, aggregate_version, traceparent, create_time, epoch, payload
FROM wrtn_outbox WHERE sent_time IS NULL ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
"""
_MARK = "UPDATE wrtn_outbox SET sent_time = clock_timestamp() WHERE id = ANY(%s::uuid[])"
_CREATED = "SELECT created FROM wrtn_relay_streams WHERE stream = %s FOR UPDATE"
_REMEMBER = """
INSERT INTO wrtn_relay_streams (stream, created) VALUES (%s, %s)
ON CONFLICT (stream) DO UPDATE SET created = excluded.created
"""
# Without a condition on sent_time: it waits for batches in hand, whose answers came from the old stream.
_RESEND = "UPDATE wrtn_outbox SET sent_time = NULL, epoch = %s"
_BACKLOG = """
SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(create_time)), 0)::float8
FROM wrtn_outbox WHERE sent_time IS NULL
"""


class Relay:
    """One service's relay. Several, in as many replicas, share the work.

    `batch` events are published in flight together, `lanes` batches at once while there is a backlog.
    `worker` is the worker role's database.
    """

    def __init__(
        self, worker: Database, bus: Bus, service: str, *, batch: int = 1000, lanes: int = 2
    ) -> None:
        self._worker = worker
        self._bus = bus
        self._service = service
        self._batch = batch
        self._lanes = lanes
        self._publisher = Publisher(bus)
        self._wake = asyncio.Event()
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self._checked_generation = -1
        self._checked_at = 0.0
        self._high = 0

    @property
    def alive(self) -> bool:
        """Whether the relay works; false fails liveness."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    async def start(self) -> None:
        """Starts publishing, now or as soon as NATS and the database are there."""
        self._tasks = [
            asyncio.create_task(self._run(), name="relay"),
            asyncio.create_task(self._observe(), name="relay-observe"),
        ]

    def wake(self) -> None:
        """Says that events were committed (`Database.on_events`); those of others are found within IDLE."""
        self._wake.set()

    async def stop(self) -> None:
        """Publishes what is committed if NATS is there, then ends."""
        self._stopping = True
        self._wake.set()
        if self._tasks:
            run, observe = self._tasks
            observe.cancel()
            await asyncio.wait({run}, timeout=2 * RETRY_DELAY + IDLE)
            run.cancel()
            await asyncio.gather(run, observe, return_exceptions=True)

    async def _run(self) -> None:
        full = False
        while True:
            self._wake.clear()
            begun, sent = monotonic(), 0
            if self._bus.connected:
                try:
                    await self._check()
                    sent = await self._publish(self._lanes if full else 1)
                except (DomainError, psycopg.Error, nats.errors.Error, OSError, TimeoutError) as error:
                    log.warning("relay.fault", service=self._service, error=repr(error))
                    self._checked_generation = -1
                    sent = -1
            full = sent >= self._batch
            if self._stopping and sent <= 0:
                return
            if not full:
                await self._rest(RETRY_DELAY if sent < 0 else IDLE)
                await asyncio.sleep(begun + PACE - monotonic())

    async def _rest(self, seconds: float) -> None:
        seconds = seconds if self._bus.connected else min(seconds, RETRY_DELAY)
        await rest(self._wake, seconds)

    async def _publish(self, lanes: int) -> int:
        """Answers how many were sent by the fullest lane, or -1 if some could not be."""
        if lanes == 1:
            return await self._lane()
        # Each lane ends by itself, also when another fails: what it published is to be marked.
        ends = await asyncio.gather(*(self._lane() for _ in range(lanes)), return_exceptions=True)
        counts = []
        for end in ends:
            if isinstance(end, BaseException):
                raise end
            counts.append(end)
        return -1 if min(counts) < 0 else max(counts)

    async def _lane(self) -> int:
        # The transaction stays open while the broker answers, since its row locks are the claim.
        found: list[psycopg.AsyncCursor[tuple[Any, ...]]] = []

        async def claim(driver: Driver) -> None:
            found.append(await driver.execute(_NEXT, (self._batch,)))

        async with self._worker.transaction(Scope(), first=claim) as tx:
            rows = await found[-1].fetchall()
            if not rows:
                return 0
            before = self._high
            result = await self._publisher.publish([_outgoing(row) for row in rows])
            driver = await tx.driver()
            async with driver.pipeline():
                await driver.execute(_MARK, ([rows[index][0] for index in result.stored],))
                await driver.execute("COMMIT")
        metrics.RELAYED.labels(self._service).inc(len(result.stored))
        if result.no_stream or result.last_sequence < before:
            self._checked_generation = -1
        self._high = max(self._high, result.last_sequence)
        return len(rows) if len(result.stored) == len(rows) else -1

    async def _check(self) -> None:
        """Looks whether the stream is the one that was published to, and resends all if it is not."""
        now = monotonic()
        if self._checked_generation == self._bus.generation and now - self._checked_at < CHECK_EVERY:
            return
        generation = self._bus.generation
        info = await ensure_stream(self._bus.jetstream, self._service)
        created = info.created.isoformat() if info.created else ""
        await self._compare(created, shrunk=info.state.last_seq < self._high)
        self._high = info.state.last_seq
        self._checked_generation, self._checked_at = generation, now

    async def _compare(self, created: str, *, shrunk: bool) -> None:
        stream = stream_of(self._service)
        async with self._worker.transaction(Scope(), time_limit=RESEND_LIMIT) as tx:
            connection = await tx.driver()
            known = await (await connection.execute(_CREATED, (stream,))).fetchone()
            if known is not None and known[0] == created and not shrunk:
                return
            cursor = await connection.execute(_RESEND, (tx.clock.new_id().hex,))
            await connection.execute(_REMEMBER, (stream, created))
        if known is not None:
            log.warning("relay.resend", service=self._service, events=cursor.rowcount, shrunk=shrunk)
            metrics.RESENDS.labels(self._service).inc()

    async def _observe(self) -> None:
        while True:
            try:
                async with self._worker.snapshot(Scope()) as snapshot:
                    row = await (await (await snapshot.driver()).execute(_BACKLOG)).fetchone()
                count, age = row or (0, 0.0)
                metrics.BACKLOG.labels(self._service).set(count)
                metrics.AGE.labels(self._service).set(age)
            except DomainError as error:
                log.warning("relay.blind", service=self._service, error=repr(error))
            await asyncio.sleep(OBSERVE_EVERY)


def _outgoing(row: tuple[Any, ...]) -> Outgoing:
    event_id, tenant_id, subject, aggregate_id, version, traceparent, create_time, epoch, payload = row
    headers = envelope.headers(
        event_id, tenant_id, subject, aggregate_id, version, traceparent, create_time, epoch
    )
    return Outgoing(subject, headers, payload)
