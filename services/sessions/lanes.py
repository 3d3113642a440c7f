"""A lane: the queue from which one task takes the frames of group commits, one after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from chassis.gathering import Gathering
from services.sessions.frames import Pending

BATCH_FRAMES = 500
BATCH_BYTES = 8 * 1024 * 1024


class Lane:
    """Frames that wait to be stored, in the order in which they came."""

    def __init__(self) -> None:
        self._frames: deque[Pending] = deque()
        self._some = asyncio.Event()
        self._gathering = Gathering(BATCH_FRAMES)

    def add(self, frame: Pending) -> None:
        """Queues a frame."""
        self._frames.append(frame)
        self._some.set()
        self._gathering.joined(len(self._frames))

    async def batch(self) -> list[Pending]:
        """Waits for the frames of the next batch and takes them, at least one."""
        await self._some.wait()
        await self._gathering.complete(len(self._frames))
        return self._take()

    def stored(self, batch: Sequence[Pending]) -> None:
        """Says that the fate of a batch is told."""
        self._gathering.ended(len(batch), len(self._frames))

    def _take(self) -> list[Pending]:
        batch: list[Pending] = []
        size = 0
        while self._frames and len(batch) < BATCH_FRAMES:
            size += len(self._frames[0].sealed)
            if batch and size > BATCH_BYTES:
                break
            batch.append(self._frames.popleft())
        if not self._frames:
            self._some.clear()
        return batch
