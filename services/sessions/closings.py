"""Records the ends of streams, however they end, and of connections that were opened for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from uuid import UUID

import structlog

from chassis.errors import DomainError
from services.sessions.connections import Doors
from services.sessions.stream import Stream

_AT_ONCE = 4
_PATIENCE = 5.0
"""Seconds that a handler waits for the record; it is made all the same."""
_PAUSE = 1.0

_log = structlog.get_logger(__name__)


class Closings:
    """Writes each end once all that came over the stream is settled, also after its handler is gone."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        doors.on_doubt(self._begin_doubted)
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Has nothing to start."""

    async def stop(self) -> None:
        """Waits for the records under way; what cannot be written now is, when the process counts as dead."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_PATIENCE)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def of(self, stream: Stream) -> None:
        """Records the end of a stream, and waits for it a while."""
        await asyncio.wait({self.begin(stream)}, timeout=_PATIENCE)

    def begin(self, stream: Stream) -> asyncio.Task[None]:
        """Begins to record the end of a stream. Recording it once more changes nothing."""
        return self._go(self._record(stream))

    def _begin_doubted(self, tenant_id: UUID, connection_id: UUID) -> None:
        self._go(self._end(tenant_id, connection_id))

    def _go(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name="closing")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _record(self, stream: Stream) -> None:
        await stream.settled()
        authority = stream.authority
        await self._end(authority.holder.tenant_id, authority.connection_id)

    async def _end(self, tenant_id: UUID, connection_id: UUID) -> None:
        while True:
            try:
                async with self._turn:
                    await self._doors.end(tenant_id, connection_id)
            except DomainError as error:
                _log.warning("the end of a connection could not be recorded", exc_info=error)
                await asyncio.sleep(_PAUSE)
            else:
                return
