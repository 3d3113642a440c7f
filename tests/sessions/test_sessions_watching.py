"""Live views: history, then the tail, without a gap or a double, and no longer than one may."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from uuid import UUID

import grpc
import nats as broker
import pytest
from nats.aio.msg import Msg
from prometheus_client import REGISTRY

from chassis.embedded.nats import Nats
from chassis.testing.callers import Known
from chassis.testing.logs import Logs
from chassis.testing.waiting import until
from services.sessions import deltas, tails, watcher
from services.sessions.deltas import PIECES_A_SECOND
from services.sessions.watchers import MOST_A_MEMBER
from tests.sessions.make import Line, Session, Sessions, reason, refusal
from tests.sessions.test_sessions_readers import Firm, firm_of
from tests.sessions.test_sessions_transfers import hand_over
from tests.sessions.watching import View, watch, write
from wrtn.access.v1.access_pb2 import TITLE_MEMBER
from wrtn.sessions.v1.recorder_pb2 import Control

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNKNOWN = (grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND")
CANARY = "canary-51d0-being-written"


async def refused(view: View) -> tuple[grpc.StatusCode, str]:
    """Reads to the end, which must be an error."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await view.rest()
    return refusal(error.value)


async def heard(sessions: Sessions, session: Session, line: Line, view: View) -> None:
    """Returns when the pieces of answers of this session reach the view: its subscription is made."""
    trial = str(sessions.clock.new_id())
    found = asyncio.create_task(view.delta())
    while not found.done():
        await write(line, trial, "?")
        await asyncio.wait({found}, timeout=0.05)
    while True:
        await write(line, last := str(sessions.clock.new_id()), "!")
        while (await view.delta()).history_id != last:
            pass
        return


async def test_a_watch_shows_what_is_stored_then_what_comes_without_a_gap_or_a_double(
    sessions: Sessions,
) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    await line.record(*(sessions.frame(f'"{number}"') for number in range(250)))
    sending = asyncio.create_task(line.record(*(sessions.frame(f'"{number}"') for number in range(250, 500))))
    view, late = watch(sessions, session), watch(sessions, session, after=400)
    await sending
    shown = await view.histories(500)
    assert [each.sequence for each in shown] == list(range(1, 501))
    assert [each.body for each in shown] == [f'"{number}"' for number in range(500)]
    assert [each.sequence for each in await late.histories(100)] == list(range(401, 501))
    assert shown == await sessions.histories(session)
    view.call.cancel()
    late.call.cancel()


async def test_a_watch_on_another_replica_shows_what_is_recorded_here(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "FIRST_NAP", 60)  # so that nothing but the other replica wakes it
    session = await sessions.session()
    line = await sessions.attach(session)
    async with sessions.replica() as replica:
        await sessions.running.runtime.bus.ready()
        await replica.running.runtime.bus.ready()
        view = watch(replica, session)
        assert await view.caught_up() == 0
        await heard(sessions, session, line, view)
        for count in range(1, 6):
            await line.record(sessions.frame())
            assert [each.sequence for each in await view.histories(count)] == list(range(1, count + 1))
        view.call.cancel()


async def test_with_the_broker_down_a_watch_looks_by_itself_and_the_api_knows_no_error(
    sessions: Sessions, tmp_path: Path
) -> None:
    nowhere = Nats(tmp_path / "never-started")
    async with sessions.replica(nats=nowhere) as here, sessions.replica(nats=nowhere) as there:
        session = await here.session()
        line, view = await here.attach(session), watch(there, session)
        assert await view.caught_up() == 0
        for count in (1, 2, 3):
            await line.record(here.frame())
            async with asyncio.timeout(10):
                assert (await view.histories(count))[-1].sequence == count
        await write(line, str(here.clock.new_id()), "nobody sees this")
        await line.record(here.frame())
        await here.delete(session)
        assert await view.control() == Control.KIND_SESSION_DELETED


async def test_pieces_of_an_answer_are_shown_until_the_history_that_replaces_them(
    sessions: Sessions, logs: Logs
) -> None:
    session = await sessions.session()
    line, view = await sessions.attach(session), watch(sessions, session)
    await sessions.running.runtime.bus.ready()
    await view.caught_up()
    await heard(sessions, session, line, view)
    answer = sessions.frame(json.dumps({"text": f"{CANARY} and more"}), type="assistant_message")
    overheard = []
    client = await broker.connect(sessions.nats.url)

    async def overhear(message: Msg) -> None:
        overheard.append(message.data + str(message.headers).encode())

    await client.subscribe(">", cb=overhear)
    await client.flush()
    await write(line, answer.id, CANARY, " and more")
    pieces = [await view.delta(), await view.delta()]
    assert [(each.history_id, each.position, each.text) for each in pieces] == [
        (answer.id, 0, CANARY),
        (answer.id, len(CANARY), " and more"),
    ]
    await line.record(answer)
    ((history),) = await view.histories(1)
    assert (history.id, history.body) == (answer.id, answer.body)
    await write(line, answer.id, "too late")
    await write(line, other := str(sessions.clock.new_id()), "the next")
    assert (await view.delta()).history_id == other
    assert await sessions.histories(session) == [history]
    streams = await client.jetstream().streams_info()
    kept = [subject for each in streams for subject in each.config.subjects or ()]
    assert all(subject.split(".")[2] == "v1" for subject in kept), kept
    await client.close()
    assert overheard
    assert CANARY.encode() not in b"".join(overheard)
    assert CANARY not in logs.getvalue()
    view.call.cancel()


async def test_a_piece_that_was_sealed_for_another_session_or_tenant_is_not_shown(sessions: Sessions) -> None:
    session, other = await sessions.session(), await sessions.session()
    line, view = await sessions.attach(session), watch(sessions, session)
    bus = sessions.running.runtime.bus
    await bus.ready()
    await view.caught_up()
    await heard(sessions, session, line, view)
    foreign = await sessions.attach(other)
    moved: list[bytes] = []
    listener = bus.listen(tails.being_written(sessions_id(other)), lambda notice: moved.append(notice.data))

    async def taken() -> bool:
        await write(foreign, str(sessions.clock.new_id()), "not yours")
        return bool(moved)

    await until(taken)
    await listener.close()
    for data in (moved[0], b"", b"no ciphertext"):
        await bus.publish(tails.being_written(sessions_id(session)), data)
    await bus.publish(tails.GROWN, b"no entries")
    await write(line, mine := str(sessions.clock.new_id()), "mine")
    assert (await view.delta()).history_id == mine
    view.call.cancel()


def sessions_id(session: Session) -> UUID:
    """Answers the id of a session."""
    return UUID(session.id)


async def test_a_flood_of_pieces_is_rejected_and_the_stream_goes_on(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deltas, "PIECES_A_SECOND", 0.001)
    line = await sessions.attach(await sessions.session())
    history_id = str(sessions.clock.new_id())
    await write(line, history_id, *["x"] * 5)
    rejections = [(await line.read()).rejection for _ in range(5)]
    assert {(each.history_id, reason(each.status), each.delta) for each in rejections} == {
        (history_id, "TOO_MANY_DELTAS", True)
    }
    await line.send(sessions.frame("no JSON", id=history_id))
    assert not (await line.read()).rejection.delta
    await write(line, "no id", "x")
    assert reason((await line.read()).rejection.status) == "REQUEST_INVALID"
    await write(line, history_id, "x" * 20_000)
    assert reason((await line.read()).rejection.status) == "REQUEST_INVALID"
    await line.record(sessions.frame())


async def test_a_foreign_and_an_unknown_session_look_the_same_to_a_watcher(sessions: Sessions) -> None:
    session = await sessions.session()
    enterprise_id = sessions.clock.new_id()
    colleagues = [sessions.callers.employee(enterprise_id, TITLE_MEMBER) for _ in range(2)]
    own = await sessions.session(colleagues[0])
    for known, stranger in ((session, sessions.callers.member()), (own, colleagues[1])):
        missing = Session(str(sessions.clock.new_id()), stranger, known.credential)
        for each in (known, missing):
            assert await refused(watch(sessions, each, stranger)) == UNKNOWN
            assert (
                await refused(watch(sessions, each, stranger, tenant_id=own.owner.enterprise_id)) == UNKNOWN
            )


async def test_a_deleted_session_ends_its_watches_over_any_replica(
    sessions: Sessions,
) -> None:
    session = await sessions.session()
    view = watch(sessions, session)
    await view.caught_up()
    await sessions.running.runtime.bus.ready()
    async with sessions.replica() as replica:
        await replica.running.runtime.bus.ready()
        await replica.delete(session)
        assert await view.control() == Control.KIND_SESSION_DELETED


async def test_a_login_that_ends_closes_its_watches_alone_within_a_second(sessions: Sessions) -> None:
    mine, theirs = await sessions.session(), await sessions.session()
    view, other = watch(sessions, mine), watch(sessions, theirs)
    await view.caught_up()
    await other.caught_up()
    bus = sessions.running.runtime.bus
    await bus.ready()
    sessions.callers.end(mine.owner)
    await bus.publish("wrtn.identity.v1.login.ended", str(mine.owner.token.login_id).encode())
    async with asyncio.timeout(1):
        assert await view.control() == Control.KIND_RIGHT_REVOKED
    await (await sessions.attach(theirs)).record(sessions.frame())
    await other.histories(1)
    other.call.cancel()


async def test_an_account_that_is_transferred_ends_the_watches_of_the_holder_before(
    sessions: Sessions,
) -> None:
    session = await sessions.session()
    view = watch(sessions, session)
    await view.caught_up()
    await sessions.running.runtime.bus.ready()
    await hand_over(sessions, session.owner, sessions.callers.member())
    assert await view.control() == Control.KIND_ACCOUNT_TRANSFERRED


async def test_a_drain_tells_watches_which_go_on_elsewhere_after_the_last_sequence(
    sessions: Sessions,
) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    await line.record(*(sessions.frame() for _ in range(3)))
    async with sessions.replica() as replica:
        view = watch(replica, session)
        assert await view.caught_up() == 3
        replica.running.runtime.draining.set()
        assert await view.control() == Control.KIND_SERVER_DRAINING
    await line.record(*(sessions.frame() for _ in range(3)))
    again = watch(sessions, session, after=view.shown[-1].sequence)
    assert [each.sequence for each in await again.histories(3)] == [4, 5, 6]
    again.call.cancel()


async def test_a_manager_watches_where_the_enterprise_says_so_audited_once_before_anything_is_shown(
    sessions: Sessions,
) -> None:
    firm = await firm_of(sessions)
    manager = firm.people["manager"]
    assert await refused(watch(sessions, firm.session, manager)) == UNKNOWN
    sessions.callers.readable.add(firm.enterprise_id)
    view = watch(sessions, firm.session, manager)
    await view.histories(1)
    assert [(each.target_id, each.action) for each in await firm.reads()] == [
        (firm.session.id, "chat_session.read")
    ]
    await view.caught_up()
    line = await sessions.attach(firm.session)
    await line.record(sessions.frame())
    await view.histories(2)
    assert len(await firm.reads()) == 1
    sessions.callers.readable.clear()
    async with asyncio.timeout(1.5):
        assert await view.control() == Control.KIND_RIGHT_REVOKED
    await unshown(firm, line, manager)


async def unshown(firm: Firm, line: Line, by: Known) -> None:
    """Says that nothing more is shown to this person."""
    await line.record(firm.sessions.frame())
    assert await refused(watch(firm.sessions, firm.session, by)) == UNKNOWN


async def test_a_watch_that_cannot_be_audited_shows_nothing(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    firm = await firm_of(sessions)
    sessions.callers.readable.add(firm.enterprise_id)

    async def failing(*_: object) -> None:
        raise RuntimeError("the audit cannot be written")

    monkeypatch.setattr(sessions.running.runtime.db.auditor, "record", failing)
    view = watch(sessions, firm.session, firm.people["owner"])
    assert (await refused(view))[0] is grpc.StatusCode.INTERNAL
    assert view.shown == []


async def test_who_does_not_read_is_let_go_and_neighbours_are_shown_everything(
    sessions: Sessions,
) -> None:
    async with sessions.replica(unread_seconds=1.0) as served:
        session = await served.session()
        line = await served.attach(session)
        before, slow, neighbour = given_up(), watch(served, session), watch(served, session)
        assert await neighbour.caught_up() == 0
        body = '"' + "x" * 200_000 + '"'
        for count in range(1, 41):
            await line.record(served.frame(body))
            await neighbour.histories(count)
        await until(lambda: given_up() > before)
        assert (await refused(slow)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "WATCH_UNREAD")
        assert [each.sequence for each in slow.shown] == list(range(1, len(slow.shown) + 1))
        again = watch(served, session, after=len(slow.shown))
        await again.histories(40 - len(slow.shown))
        neighbour.call.cancel()
        again.call.cancel()


def given_up() -> float:
    """Answers how many watches were given up in this process."""
    return REGISTRY.get_sample_value("wrtn_watches_given_up_total") or 0.0


async def test_pieces_wait_for_a_slow_watcher_up_to_a_bound(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "MOST_PIECES", 0)
    session = await sessions.session()
    line, view = await sessions.attach(session), watch(sessions, session)
    await view.caught_up()
    ending = asyncio.create_task(refused(view))
    while not ending.done():
        await write(line, str(sessions.clock.new_id()), "x")
        await asyncio.wait({ending}, timeout=1 / PIECES_A_SECOND)
    assert ending.result() == (grpc.StatusCode.RESOURCE_EXHAUSTED, "WATCH_UNREAD")


async def test_one_member_watches_no_more_than_a_bounded_number_of_sessions(sessions: Sessions) -> None:
    session = await sessions.session()
    views = [watch(sessions, session) for _ in range(MOST_A_MEMBER)]
    for each in views:
        await each.caught_up()
    assert await refused(watch(sessions, session)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_WATCHES")
    other = await sessions.session()
    neighbour = watch(sessions, other)
    assert await neighbour.caught_up() == 0
    views[0].call.cancel()

    async def again() -> bool:
        view = watch(sessions, session)
        try:
            await view.caught_up()
        except grpc.aio.AioRpcError:
            return False
        view.call.cancel()
        return True

    await until(again)
    for each in (*views, neighbour):
        each.call.cancel()
