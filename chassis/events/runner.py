"""Running a consumer: deliveries in, effects committed, acknowledgements out."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence

import nats.errors
import structlog
from nats.aio.msg import Msg

from chassis.database.engine import Database
from chassis.errors import DomainError
from chassis.events import dead_letters
from chassis.events.bus import Bus
from chassis.events.consumer import Consumer
from chassis.events.effects import Effects, Outcome
from chassis.events.envelope import subject_of
from chassis.events.pull import Pull
from chassis.events.streams import ACK_WAIT
from chassis.rest import rest
from chassis.scope import Scope

log = structlog.get_logger(__name__)

# Seconds between looks for letters that an operator asked to replay.
REPLAY_EVERY = 2.0
_IN_PROGRESS = b"+WPI"
_NAK = b"-NAK"


class Runner:
    """Runs one consumer of one service. Replicas share its durable, named `<service>-<consumer>`."""

    def __init__(self, db: Database, bus: Bus, service: str, consumer: Consumer) -> None:
        self._db = db
        self._bus = bus
        self._consumer = consumer
        self._effects = Effects(db, consumer, self._settle)
        self._pull = Pull(
            bus,
            source=consumer.source,
            durable=f"{service}-{consumer.name}",
            subjects=[subject_of(kind) for kind in consumer.handlers],
            batch=consumer.batch,
        )
        self._answers: list[Outcome] = []
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def alive(self) -> bool:
        """Whether the consumer works; false fails liveness."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    async def start(self) -> None:
        """Starts consuming, now or as soon as NATS and the source's stream are there."""
        name = self._consumer.name
        self._tasks = [
            asyncio.create_task(self._run(), name=f"consumer-{name}"),
            asyncio.create_task(self._replay(), name=f"replay-{name}"),
        ]

    async def stop(self) -> None:
        """Finishes the batch in hand and gives back what was delivered beyond it."""
        self._effects.stopping.set()
        left = await self._pull.close()
        self._settle([Outcome(message, 0.0) for message in left])
        await self._answer()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self) -> None:
        while messages := await self._pull.next():
            work = asyncio.create_task(self._effects.apply(messages))
            try:
                await self._finish(work, messages)
            finally:
                work.cancel()

    async def _finish(self, work: asyncio.Task[None], messages: Sequence[Msg]) -> None:
        """Waits for the batch; a slow one is kept from being delivered again meanwhile."""
        while True:
            await asyncio.wait({work}, timeout=ACK_WAIT.total_seconds() / 3)
            await self._answer()
            if work.done():
                return work.result()
            await self._send([(message.reply, _IN_PROGRESS) for message in [*messages, *self._pull.buffered]])

    def _settle(self, outcomes: Sequence[Outcome]) -> None:
        self._answers += outcomes

    async def _answer(self) -> None:
        answers, self._answers = self._answers, []
        await self._send([(message.reply, _word(delay)) for message, delay in answers])

    async def _send(self, words: Sequence[tuple[str, bytes]]) -> None:
        # A lost answer only means another delivery, which the inbox knows.
        with contextlib.suppress(DomainError, nats.errors.Error, OSError):
            client = self._bus.client
            for reply, word in words:
                await client.publish(reply, word)

    async def _replay(self) -> None:
        name = self._consumer.name
        stopping = self._effects.stopping
        # Resting first: a start has better to do, and whoever asks for a replay has waited for longer.
        await rest(stopping, REPLAY_EVERY)
        while not stopping.is_set():
            try:
                async with self._db.snapshot(Scope()) as snapshot:
                    connection = await snapshot.driver()
                    found = await dead_letters.letters(connection, name, dead_letters.State.REPLAYING, 100)
                for letter in found:
                    await self._effects.replay(letter)
            except DomainError as error:
                log.warning("replay.fault", consumer=name, error=repr(error))
            await rest(stopping, REPLAY_EVERY)


def _word(delay: float | None) -> bytes:
    if delay is None:
        return b""
    return _NAK + (b" " + json.dumps({"delay": int(delay * 1e9)}).encode() if delay else b"")
