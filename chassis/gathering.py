"""When a group commit goes off: for all who are about to come, and at once for whoever is alone."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

GATHER_SECONDS = 0.005
"""For how long after a batch those who took part in it are waited for."""


class Gathering:
    """Says of one queue when its next batch is complete; the queue itself is the caller's.

    Whoever waits for the end of a commit comes again as soon as it is there, so a batch that goes off at the
    first arrival after the one before takes few along, and costs as much as a large one. It waits until as
    many are there as were in the batch before or waited behind it (`most` of them), for `GATHER_SECONDS`
    after that batch. Who is alone, or comes after a pause, never waits.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._complete = asyncio.Event()
        self._expected = 1
        self._until = 0.0

    def joined(self, waiting: int) -> None:
        """Says that there are so many in the queue now."""
        if waiting >= self._expected:
            self._complete.set()

    async def complete(self, waiting: int) -> None:
        """Waits for the rest of the batch, of which so many are there; none of them has to come."""
        left = self._until - time.monotonic()
        if waiting < self._expected and left > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._complete.wait()

    def ended(self, batch: int, waiting: int) -> None:
        """Says that a batch of so many was answered, and so many came meanwhile: all are expected again."""
        self._expected = min(batch + waiting, self._most)
        self._until = time.monotonic() + GATHER_SECONDS
        if waiting < self._expected:
            self._complete.clear()
