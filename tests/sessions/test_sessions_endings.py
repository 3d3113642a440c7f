"""Over the real identity: whoever may not act any more is told on their open streams, and these end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from chassis.testing.callers import Known
from tests.identity import make
from tests.sessions.make import Line, Session
from tests.sessions.taking import IN_IDENTITY, Taking
from tests.sessions.together import Both, known
from wrtn.sessions.v1.recorder_pb2 import Control

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def stream(both: Both, caller: Known) -> Line:
    """Opens a session of a caller, and a stream that records."""
    session: Session = await both.sessions.session(caller, both.credential)
    line = await both.sessions.attach(session)
    await line.record(both.sessions.frame())
    return line


async def told(line: Line) -> Control.Kind.ValueType:
    """Reads up to the end of the stream; answers the word that came before it."""
    answers = await line.rest()
    assert answers[-1].HasField("control"), answers
    return answers[-1].control.kind


@pytest.mark.parametrize("taking", IN_IDENTITY)
async def test_who_may_not_act_any_more_is_told_within_a_second(
    both: Both, taking: Callable[[Both], Awaitable[Taking]]
) -> None:
    caller, end = await taking(both)
    line = await stream(both, caller)
    bystander = await stream(both, known(await make.member(both.identity)))
    await end()
    async with asyncio.timeout(1):
        assert await told(line) == Control.KIND_RIGHT_REVOKED
    await bystander.record(both.sessions.frame())
