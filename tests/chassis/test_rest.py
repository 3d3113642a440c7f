"""Resting until woken, or until it is time."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from chassis.rest import rest


async def test_one_rests_until_woken_and_no_longer_than_said() -> None:
    woken = asyncio.Event()
    began = monotonic()
    await rest(woken, 0.02)
    assert 0.01 < monotonic() - began < 1
    woken.set()
    await rest(woken, 60)
    assert monotonic() - began < 1


async def test_a_cancellation_at_the_moment_of_waking_is_not_lost() -> None:
    woken = asyncio.Event()
    resting = asyncio.create_task(rest(woken, 60))
    # So that it waits, whatever it waits by.
    for _ in range(3):
        await asyncio.sleep(0)
    woken.set()
    resting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await resting
