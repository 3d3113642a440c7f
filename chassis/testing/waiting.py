"""Waiting for what becomes true by itself: no test sleeps for a time that somebody guessed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar, overload

T = TypeVar("T")


@overload
async def until(holds: Callable[[], bool], seconds: float = ...) -> bool: ...
@overload
async def until(holds: Callable[[], Awaitable[T]], seconds: float = ...) -> T: ...
async def until(holds: Callable[[], Awaitable[object] | bool], seconds: float = 20) -> object:
    """Asks again and again until the answer is true or not empty; raises TimeoutError after `seconds`."""
    deadline = monotonic() + seconds
    while True:
        answer = holds()
        found = answer if isinstance(answer, bool) else await answer
        if found:
            return found
        if monotonic() > deadline:
            raise TimeoutError("it did not come true in time")
        await asyncio.sleep(0.01)
