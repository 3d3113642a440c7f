"""Over the real identity: streams and watches of who may not go on any more, though no event can tell."""

from __future__ import annotations

import asyncio

import pytest

from chassis.embedded.nats import Nats
from chassis.testing.callers import Known
from chassis.testing.waiting import until
from services.sessions import live, watchers
from tests.identity import make
from tests.sessions.taking import IN_IDENTITY, Taking, dismissed, transferred
from tests.sessions.test_sessions_endings import stream, told
from tests.sessions.test_sessions_together import open_glass
from tests.sessions.together import Both, known
from tests.sessions.watching import View, watch
from wrtn.identity.v1.break_glass_pb2 import CloseBreakGlassRequest
from wrtn.sessions.v1.recorder_pb2 import Control

BOUND = 5
"""Seconds in which every path refuses what was taken, with the broker down."""


async def test_without_events_streams_and_watches_end_once_rights_are_asked_for(
    both: Both, nats: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert live._DEAF_SECONDS + live._ROUND_SECONDS <= BOUND
    assert (watchers._DEAF_ROUNDS + 1) * watchers._ROUND_SECONDS <= BOUND
    for module in (live, watchers):
        monkeypatch.setattr(module, "_ROUND_SECONDS", 0.05)
    monkeypatch.setattr(live, "_DEAF_SECONDS", 0.2)
    taken = [await taking(both) for taking in (*IN_IDENTITY, dismissed, transferred)]
    lines = [await stream(both, caller) for caller, _ in taken]
    views = [await watched(both, caller) for caller, _ in taken]
    (through_glass, of_owner), close = await opened_by_glass(both)
    bystander = await stream(both, known(await make.member(both.identity)))
    nats.stop()
    await until(lambda: _deaf(both))
    for _, end in (*taken, close):
        await end()
    async with asyncio.timeout(10 * BOUND):  # so that one that does not end fails
        for line in lines:
            assert await told(line) == Control.KIND_RIGHT_REVOKED
        for view in (*views, through_glass):
            assert await view.control() == Control.KIND_RIGHT_REVOKED
    await bystander.record(both.sessions.frame())
    assert not of_owner.call.done()
    of_owner.call.cancel()


async def watched(both: Both, caller: Known) -> View:
    """Opens a session of a caller, and a watch of it that has shown all there is."""
    view = watch(both.sessions, await both.sessions.session(caller, both.credential))
    await view.caught_up()
    return view


async def opened_by_glass(both: Both) -> tuple[tuple[View, View], Taking]:
    """Has an administrator watch somebody's session, beside its owner; answers what closes it."""
    boss, person = await make.appointed(both.identity), await make.member(both.identity)
    session = await both.session(person)
    used = await open_glass(both, boss, person.account_id)
    views = (
        watch(both.sessions, session, known(boss), tenant_id=known(person).tenant_id),
        watch(both.sessions, session),
    )
    for view in views:
        await view.caught_up()
    request = CloseBreakGlassRequest(break_glass_id=used)
    return views, (
        known(boss),
        lambda: both.identity.break_glass.CloseBreakGlass(request, metadata=boss.metadata),
    )


async def _deaf(both: Both) -> bool:
    return not both.sessions.running.runtime.bus.connected
