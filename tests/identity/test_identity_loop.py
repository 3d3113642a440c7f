"""Signing in does not hold up the event loop: what is slow on purpose works beside it."""

from __future__ import annotations

import asyncio
import time

import pytest
from argon2 import PasswordHasher

from services.identity.sign_in.passwords import HASHER
from tests.identity import make
from tests.identity.service import Identity

MOST = 0.020
"""Seconds of processor time in which no other call of the process is served. One hash takes 28 ms."""


@pytest.fixture
def hasher() -> PasswordHasher:
    """The real one, whose cost is what must not be seen here."""
    return HASHER


@pytest.mark.plain_loop
async def test_no_step_of_signing_in_holds_the_event_loop_for_as_long_as_a_hash(
    alone: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await make.member(alone)
    await make.sign_in(alone, member.email)  # statements are compiled from now on
    took: list[float] = []
    run = asyncio.Handle._run

    def measured(handle: asyncio.Handle) -> None:
        # Processor time of this thread: what a busy machine takes away is not counted.
        began = time.thread_time()
        run(handle)
        took.append(time.thread_time() - began)

    # uvloop's handles cannot be got at; the steps are the same.
    monkeypatch.setattr(asyncio.Handle, "_run", measured)
    await asyncio.gather(*(make.sign_in(alone, member.email) for _ in range(8)))
    await make.register(alone, make.fresh_email())
    monkeypatch.undo()
    assert len(took) > 100, "the steps were seen"
    assert max(took) < MOST
