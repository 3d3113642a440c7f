"""Signs of life of the processes that hold streams, and the ends of connections whose process died."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from chassis.clock import Clock
from chassis.database import Database, Scope
from chassis.errors import DomainError, Unavailable
from services.sessions.store import Processes

_TENANTS_AT_ONCE = 200
_START_PATIENCE = 3.0

_log = structlog.get_logger(__name__)


class Heartbeat:
    """Says every few seconds that this process is alive.

    A process that was silent for too long finds itself given up, its connections ended: it goes on
    under a new id, and `lost` is called so that its streams reconnect.
    """

    def __init__(self, db: Database, clock: Clock, every: float) -> None:
        self._db = db
        self._clock = clock
        self._every = every
        self._task: asyncio.Task[None] | None = None
        self._lost: Callable[[], None] | None = None
        self._process_id: UUID | None = None
        self._registered = asyncio.Event()

    @property
    def process_id(self) -> UUID:
        """The id under which this process is known; raises Unavailable while it could not be registered."""
        if self._process_id is None:
            raise Unavailable("The recorder is starting.", retry_after=1)
        return self._process_id

    def on_loss(self, lost: Callable[[], None]) -> None:
        """Sets what is called when the process was given up."""
        self._lost = lost

    async def start(self) -> None:
        """Begins, and waits a while for the first beat. Without the database no stream opens."""
        self._task = asyncio.create_task(self._run(), name="heartbeat")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._registered.wait(), _START_PATIENCE)

    async def stop(self) -> None:
        """Gives a last sign of life; the job takes the process off the list when it is silent for long."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._process_id is None:
            return
        with contextlib.suppress(DomainError):
            async with self._db.transaction(Scope()) as tx:
                # What could not be closed is left to the job: it counts as silent from now on.
                await Processes(tx).beat(self._process_id, tx.now)

    async def _run(self) -> None:
        while True:
            await self._beat()
            await asyncio.sleep(self._every)

    async def _beat(self) -> None:
        try:
            async with self._db.transaction(Scope()) as tx:
                processes = Processes(tx)
                known = self._process_id
                if known is not None and await processes.beat(known, tx.now):
                    return
                process_id = self._clock.new_id()
                await processes.register(process_id, tx.now)
        except DomainError as error:
            _log.warning("no sign of life could be given", exc_info=error)
            return
        self._process_id = process_id
        self._registered.set()
        if known is not None and self._lost is not None:
            self._lost()


async def close_dead(db: Database, clock: Clock, dead_after: timedelta) -> None:
    """Ends the connections of processes that are silent for too long, at their last sign of life.

    A job, run once across replicas. Cancelled in the middle it leaves the rest for its next run.
    """
    async with db.snapshot(Scope()) as seen:
        silent = await Processes(seen).silent_since(seen.now - dead_after)
    for process_id, heartbeat_time in silent.items():
        await _close(db, process_id, heartbeat_time)
        _log.warning("the connections of a dead process are closed", process=process_id)


async def _close(db: Database, process_id: UUID, heartbeat_time: datetime) -> None:
    while True:
        async with db.snapshot(Scope()) as seen:
            tenants = await Processes(seen).tenants(process_id, _TENANTS_AT_ONCE)
        async with db.transaction(Scope(frozenset(tenants))) as tx:
            if not tenants:
                await Processes(tx).forget(process_id)
                return
            await Processes(tx).close_connections(process_id, tenants, heartbeat_time)
