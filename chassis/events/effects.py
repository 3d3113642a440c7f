"""Taking effects: one transaction a batch with its inbox rows; a batch that fails is halved."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Sequence
from typing import NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

import structlog
from google.protobuf.message import Message
from nats.aio.msg import Msg
from sqlalchemy import text

from chassis import telemetry
from chassis.database.engine import Database
from chassis.errors import Aborted, DomainError, ResourceExhausted, Unavailable
from chassis.events import dead_letters, envelope, inbox, metrics
from chassis.events.consumer import Consumer
from chassis.events.envelope import Event, Undecodable
from chassis.scope import Scope

log = structlog.get_logger(__name__)

# Seconds one transaction of effects may take before it counts as failed.
EFFECT_TIMEOUT = 12.0
# How often a batch is repeated whole after a failure that need not be its own fault.
PASSING_TRIES = 3
_PASSING = (Unavailable, Aborted, ResourceExhausted)
MAX_DELAY = 60.0
# Seconds until an event without a handler here is offered again.
FOREIGN_DELAY = 5.0


class Delivery(NamedTuple):
    """One delivered message, read. `event` is None when it could not be, and `error` says why."""

    message: Msg
    event_id: UUID
    kind: type[Message] | None
    event: Event[Message] | None
    error: Undecodable | None


class _Part(NamedTuple):
    """Deliveries that are tried in one transaction, and how often an outage has undone it."""

    deliveries: Sequence[Delivery]
    tries: int = 0


class Outcome(NamedTuple):
    """What to answer to one delivery: acknowledged, or to come again after `delay` seconds."""

    message: Msg
    delay: float | None


class Effects:
    """Applies deliveries of one consumer to the service's database (the app role)."""

    def __init__(self, db: Database, consumer: Consumer, settle: Callable[[Sequence[Outcome]], None]) -> None:
        self._db = db
        self._consumer = consumer
        self._kinds = {envelope.subject_of(kind): kind for kind in consumer.handlers}
        self._settle = settle
        self.stopping = asyncio.Event()

    def read(self, message: Msg) -> Delivery:
        """Decodes a delivery; what is no event of ours stays as its error."""
        kind = self._kinds.get(message.subject)
        try:
            if kind is None:
                raise Undecodable(f"no handler for {message.subject}")
            event = envelope.decode(kind, message.headers, message.data)
        except Undecodable as error:
            # Without a readable id, the place in the stream stands for it.
            known = envelope.event_id(message.headers) or uuid5(NAMESPACE_URL, _place(message))
            return Delivery(message, known, kind, None, error)
        return Delivery(message, event.id, kind, event, None)

    async def apply(self, messages: Sequence[Msg]) -> None:
        """Takes the effects of these messages and settles each: acknowledged, or to come again."""
        causes = ((message.headers or {}).get(envelope.TRACEPARENT) for message in messages)
        with telemetry.batch_span(f"consume {self._consumer.name}", causes):
            await self._apply(messages)

    async def _apply(self, messages: Sequence[Msg]) -> None:
        deliveries = [self.read(message) for message in messages]
        parts = [_Part([delivery for delivery in deliveries if delivery.event is not None])]
        for delivery in deliveries:
            if delivery.kind is None:
                # A replica of another version subscribed to it, and takes it.
                self._settle([Outcome(delivery.message, FOREIGN_DELAY)])
            elif delivery.error is not None:
                await self._failed(delivery, delivery.error)
        while parts:
            part = parts.pop()
            if part.deliveries:
                parts += await self._try(part)

    async def _try(self, part: _Part) -> list[_Part]:
        """Takes the effects of a part together. Answers what is left to try, the next one last."""
        try:
            await self._effect(part.deliveries)
        except Exception as error:  # noqa: BLE001 - the consumer loop: whatever a handler raises is counted
            return await self._refused(part, error)
        self._settle([Outcome(delivery.message, None) for delivery in part.deliveries])
        return []

    async def _refused(self, part: _Part, error: Exception) -> list[_Part]:
        deliveries, tries = part
        if isinstance(error, _PASSING):
            if not await self._passed(error, tries):
                self._settle([Outcome(delivery.message, 0.0) for delivery in deliveries])
                return []
            if tries + 1 < PASSING_TRIES:
                return [_Part(deliveries, tries + 1)]
        if len(deliveries) == 1:
            await self._failed(deliveries[0], error)
            return []
        middle = len(deliveries) // 2
        halves = deliveries[middle:], deliveries[:middle]
        # Halves of what failed whole are not repeated whole again, single events are.
        return [_Part(half, 0 if len(half) == 1 else tries) for half in halves]

    async def _effect(self, deliveries: Sequence[Delivery]) -> None:
        events = [delivery.event for delivery in deliveries if delivery.event is not None]
        scope = Scope(frozenset(event.tenant_id for event in events if event.tenant_id is not None))
        async with asyncio.timeout(EFFECT_TIMEOUT), self._db.transaction(scope) as tx:
            fresh = await inbox.claim(await tx.driver(), self._consumer.name, [event.id for event in events])
            grouped: dict[type[Message], list[Event[Message]]] = {}
            taken = set(fresh)
            for delivery in deliveries:
                if delivery.event_id in taken and delivery.kind and delivery.event:
                    # A message that came twice in one batch is one event.
                    taken.discard(delivery.event_id)
                    grouped.setdefault(delivery.kind, []).append(delivery.event)
            for kind, found in grouped.items():
                await self._consumer.handlers[kind](tx, found)
        metrics.APPLIED.labels(self._consumer.name).inc(len(fresh))
        metrics.REPEATED.labels(self._consumer.name).inc(len(deliveries) - len(fresh))

    async def _failed(self, delivery: Delivery, error: Exception) -> None:
        """Counts a completed failure of one event; a failure that could not be counted is none."""
        log.warning(
            "event.failed", consumer=self._consumer.name, event_id=str(delivery.event_id), exc_info=error
        )
        message = delivery.message
        try:
            async with self._db.transaction(_scope_of(delivery)) as tx:
                failures, state = await dead_letters.record_failure(
                    await tx.driver(),
                    consumer=self._consumer.name,
                    event_id=delivery.event_id,
                    subject=message.subject,
                    headers=message.headers or {},
                    payload=message.data,
                    error=describe(error),
                    most=self._consumer.max_failures,
                )
        except DomainError as outage:
            log.warning("event.uncounted", consumer=self._consumer.name, error=repr(outage))
            self._settle([Outcome(message, self._consumer.retry_delay)])
            return
        metrics.FAILED.labels(self._consumer.name).inc()
        if state is dead_letters.State.FAILING:
            delay = min(self._consumer.retry_delay * 2 ** (failures - 1), MAX_DELAY)
            self._settle([Outcome(message, delay)])
            return
        metrics.DEAD.labels(self._consumer.name).inc()
        log.error("event.dead", consumer=self._consumer.name, event_id=str(delivery.event_id))
        self._settle([Outcome(message, None)])

    async def _passed(self, error: Exception, tries: int) -> bool:
        """Waits until the database answers, so that an outage is nobody's failure; false when stopping."""
        log.warning("batch.repeated", consumer=self._consumer.name, error=repr(error))
        delay = 0.05 * 2**tries
        while not self.stopping.is_set():
            await asyncio.sleep(delay)
            try:
                async with self._db.snapshot(Scope()) as snapshot:
                    await snapshot.session.execute(text("SELECT 1"))
                return True
            except DomainError:
                delay = min(delay * 2, 1.0)
        return False

    async def replay(self, letter: dead_letters.Letter) -> None:
        """Applies a letter that an operator asked to replay, once; a failure makes it dead again."""
        message = Msg(None, letter.subject, "", letter.payload, letter.headers)  # type: ignore[arg-type]
        delivery = self.read(message)
        try:
            if delivery.kind is None or delivery.event is None:
                raise delivery.error or Undecodable("no event")
            async with asyncio.timeout(EFFECT_TIMEOUT), self._db.transaction(_scope_of(delivery)) as tx:
                connection = await tx.driver()
                if await dead_letters.take(
                    connection, letter.consumer, letter.event_id
                ) and await inbox.claim(connection, letter.consumer, [letter.event_id]):
                    await self._consumer.handlers[delivery.kind](tx, [delivery.event])
        except Exception as error:  # noqa: BLE001 - the consumer loop: whatever a handler raises is counted
            if not isinstance(error, _PASSING):
                await self._failed(delivery._replace(event_id=letter.event_id), error)


def _scope_of(delivery: Delivery) -> Scope:
    if delivery.event is None or delivery.event.tenant_id is None:
        return Scope()
    return Scope.of(delivery.event.tenant_id)


def _place(message: Msg) -> str:
    metadata = message.metadata
    return f"{metadata.stream}/{metadata.sequence.stream}/{metadata.timestamp.isoformat()}"


def describe(error: Exception) -> str:
    """Names an error and the place that raised it. Foreign errors may quote rows: their text stays out."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].name}:{frames[-1].lineno}" if frames else ""
    said = f": {error}" if isinstance(error, DomainError | Undecodable) else ""
    return f"{type(error).__qualname__}{said}{place}"
