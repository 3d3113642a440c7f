"""Resting between rounds of background work, until woken or until it is time."""

from __future__ import annotations

import asyncio
import contextlib


async def rest(woken: asyncio.Event, seconds: float) -> None:
    """Rests until the event is set, for so many seconds at most.

    Not by `asyncio.wait_for`: until Python 3.12 it loses a cancellation that comes while the event is being
    set, and a loop that is ended by being cancelled then goes on for ever.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await woken.wait()
