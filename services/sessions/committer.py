"""The group committer: all frames of the process, of all tenants, go through it into shared transactions.

While one batch is on its way to the disk the next one gathers. Each session belongs to one lane, so
that its frames are stored in the order in which they came.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import psycopg
import psycopg.errors
import structlog
from prometheus_client import Counter, Gauge, Histogram

from chassis.clock import Clock
from chassis.database import Database
from chassis.errors import Aborted, DomainError, Unavailable
from services.sessions.errors import FateUnknown, HistoryRefused, RecorderBusy
from services.sessions.frames import Outcome, Pending, Recorded
from services.sessions.lanes import Lane
from services.sessions.recording import record

QUEUE_BYTES = 64 * 1024 * 1024

_ATTEMPTS = 4
_PAUSE = 0.1
_PATIENCE = 5.0
"""Seconds after which a batch is given up and its senders are told to try again."""

# A unique violation is a frame that another replica stored between our look and our insert: look again.
_AGAIN = (Aborted, Unavailable, psycopg.errors.UniqueViolation)

_log = structlog.get_logger(__name__)
_batches = Histogram(
    "wrtn_recorder_batch_frames", "Frames of one group commit.", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)
_waiting = Gauge("wrtn_recorder_waiting_frames", "Frames that wait to be stored.")
_unsettled = Counter("wrtn_recorder_unsettled_frames_total", "Frames answered without knowing their fate.")


class Committer:
    """Takes frames, stores them in batches and settles each. It answers nothing that is not on disk.

    `db` is its own, one connection a lane, and is closed with it. `grew` hears of each session in which
    something became durable, and its sequence; it must not fail.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        *,
        lanes: int,
        most_waiting: int,
        grew: Callable[[bytes, int], None] = lambda _session, _sequence: None,
    ) -> None:
        self._db = db
        self._clock = clock
        self._grew = grew
        self._lanes = [Lane() for _ in range(lanes)]
        self._most = most_waiting
        self._count = 0
        self._bytes = 0
        self._room = asyncio.Event()
        self._room.set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: list[asyncio.Task[None]] = []
        _waiting.set_function(lambda: self._count)

    async def start(self) -> None:
        """Starts the lanes."""
        self._tasks = [
            asyncio.create_task(self._run(lane), name=f"recorder-lane-{number}")
            for number, lane in enumerate(self._lanes)
        ]

    async def stop(self) -> None:
        """Stores what waits, then ends. No batch is tried for ever, so this ends too."""
        await self._idle.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._db.close()

    @property
    def full(self) -> bool:
        """Whether as many frames wait as may."""
        return not self._room.is_set()

    async def room(self) -> None:
        """Waits until a frame may be submitted; streams stop reading meanwhile."""
        await self._room.wait()

    def submit(self, frame: Pending) -> None:
        """Queues a frame; `frame.settle` hears of its outcome. Raises RecorderBusy if it is full."""
        if self.full:
            raise RecorderBusy
        lane = self._lanes[hash(frame.place.session) % len(self._lanes)]
        lane.add(frame)
        self._weigh(1, len(frame.sealed))

    def _weigh(self, frames: int, size: int) -> None:
        self._count += frames
        self._bytes += size
        if self._count:
            self._idle.clear()
        else:
            self._idle.set()
        if self._count >= self._most or self._bytes >= QUEUE_BYTES:
            self._room.clear()
        else:
            self._room.set()

    async def _run(self, lane: Lane) -> None:
        while True:
            batch = await lane.batch()
            _batches.observe(len(batch))
            try:
                await self._store(batch)
            finally:
                lane.stored(batch)
                self._weigh(-len(batch), -sum(len(frame.sealed) for frame in batch))

    async def _store(self, batch: Sequence[Pending]) -> None:
        """Stores the batch, or, if it fails for another reason than an outage, each half by itself.

        So a frame that cannot be stored stops only itself. An outage stops what its senders sent after it,
        too: they send again in order, and what came later must not stand before.
        """
        batch = self._in_order(batch)
        if not batch:
            return
        try:
            outcomes = await self._recorded(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, the neighbours must not suffer from it
            if len(batch) > 1 and not isinstance(error, DomainError):
                middle = len(batch) // 2
                await self._store(batch[:middle])
                await self._store(batch[middle:])
                return
            _log.error("frames could not be stored", frames=len(batch), exc_info=error)
            _unsettled.inc(len(batch))
            refusal = HistoryRefused() if isinstance(error, psycopg.DataError) else FateUnknown()
            for frame in batch:
                frame.line.broken |= isinstance(refusal, FateUnknown)
            outcomes = [refusal] * len(batch)
        last: dict[bytes, int] = {}
        for frame, outcome in zip(batch, outcomes, strict=True):
            frame.settle(frame, outcome)
            if isinstance(outcome, Recorded):
                session = frame.place.session
                last[session] = max(outcome.sequence, last.get(session, 0))
        for session, sequence in last.items():
            self._grew(session, sequence)

    def _in_order(self, batch: Sequence[Pending]) -> Sequence[Pending]:
        """Answers the frames of unbroken lines; the others are not stored, and settled so."""
        for frame in batch:
            if frame.line.broken:
                frame.settle(frame, FateUnknown())
        return [frame for frame in batch if not frame.line.broken]

    async def _recorded(self, batch: Sequence[Pending]) -> list[Outcome]:
        """Records the batch; conflicts and outages are tried again, since repeating changes nothing."""
        started = time.monotonic()
        for attempt in range(1, _ATTEMPTS):
            try:
                return await record(self._db, batch, self._clock)
            except _AGAIN as error:
                if time.monotonic() - started > _PATIENCE:
                    raise
                _log.warning("a batch is tried again", frames=len(batch), attempt=attempt, exc_info=error)
                await asyncio.sleep(_PAUSE * attempt)
        return await record(self._db, batch, self._clock)
