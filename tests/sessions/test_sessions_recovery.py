"""What the recorder does when something breaks in the middle, or floods it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import pytest
import pytest_asyncio
from psycopg import Connection
from sqlalchemy import make_url

from chassis.database.roles import connect
from chassis.embedded.nats import Nats
from chassis.embedded.postgres import Postgres
from chassis.testing.callers import Callers
from chassis.testing.databases import ServiceDatabase
from chassis.testing.logs import Logs
from chassis.testing.waiting import until
from services.sessions import recording
from services.sessions.authorities import Authorities
from services.sessions.authority import Authority
from services.sessions.committer import Committer
from services.sessions.errors import FateUnknown, HistoryRefused, RecorderBusy
from services.sessions.forms import Forms
from services.sessions.frames import Line as Order
from services.sessions.frames import Outcome, Pending, Recorded, prepare
from services.sessions.rights import Rights
from tests.sessions.make import Line, Session, Sessions, reason, refusal, serving, tokens
from wrtn.sessions.v1.recorder_pb2 import Frame


class Desk:
    """Prepares frames for a committer of the test's own, and keeps their outcomes."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.outcomes: dict[str, Outcome] = {}
        self.settled = asyncio.Event()
        self.expected = 0

    def pending(self, frame: Frame) -> Pending:
        """Prepares one frame."""
        return prepare(frame, self.authority, self._settle, None, Order())

    async def store(self, committer: Committer, *frames: Pending) -> list[Outcome]:
        """Submits all of them at once and answers their outcomes."""
        self.expected = len(frames)
        for each in frames:
            committer.submit(each)
        async with asyncio.timeout(30):
            await self.settled.wait()
        return [self.outcomes[each.sent_id] for each in frames]

    def _settle(self, pending: Pending, outcome: Outcome) -> None:
        self.outcomes[pending.sent_id] = outcome
        if len(self.outcomes) == self.expected:
            self.settled.set()


async def desk_of(sessions: Sessions, session: Session) -> Desk:
    """Opens a connection and answers a desk with its authority, as the service loads it."""
    opened = await sessions.open(session)
    runtime = sessions.running.runtime
    rights = Rights(runtime.principals, runtime.access)
    authorities = Authorities(runtime.db, runtime.keyring, rights, Forms(runtime.db), runtime.clock)
    credential_id = session.credential.token.credential_id
    assert credential_id is not None
    return Desk(await authorities.of(UUID(opened.connection_id), credential_id))


@pytest_asyncio.fixture
async def committer(sessions: Sessions) -> AsyncIterator[Committer]:
    """A committer of the test's own over the service's database."""
    runtime = sessions.running.runtime
    database = recording.connect(runtime.settings.database_url, lanes=1, clock=runtime.clock)
    made = Committer(database, runtime.clock, lanes=1, most_waiting=1000)
    yield made
    await made.start()
    await made.stop()


async def test_a_frame_that_cannot_be_stored_stops_only_itself(
    sessions: Sessions, committer: Committer
) -> None:
    session = await sessions.session()
    desk = await desk_of(sessions, session)
    frames = [desk.pending(sessions.frame(token_usage=tokens(1, 1))) for _ in range(60)]
    # What the database refuses to store: no frame gets this far with it.
    frames[17] = replace(frames[17], type="nul\0")
    await committer.start()
    outcomes = await desk.store(committer, *frames)
    assert isinstance(outcomes[17], HistoryRefused)
    good = [each for number, each in enumerate(outcomes) if number != 17]
    assert all(isinstance(each, Recorded) for each in good)
    assert [each.sequence for each in good if isinstance(each, Recorded)] == list(range(1, 60))
    assert (await sessions.usage(session)).total == 118
    assert len(await sessions.outbox("usage.recorded")) == 59


async def test_frames_that_wait_at_the_same_time_share_one_transaction(
    sessions: Sessions, committer: Committer
) -> None:
    desks = [await desk_of(sessions, await sessions.session()) for _ in range(2)]
    storing = [desk.store(committer, *(desk.pending(sessions.frame()) for _ in range(30))) for desk in desks]
    stored = asyncio.gather(*storing)
    await asyncio.sleep(0)
    await committer.start()
    outcomes = [each for desk in await stored for each in desk]
    assert len({each.create_time for each in outcomes if isinstance(each, Recorded)}) == 1


async def test_a_full_recorder_refuses_early(sessions: Sessions, committer: Committer) -> None:
    session = await sessions.session()
    desk = await desk_of(sessions, session)
    for _ in range(1000):
        committer.submit(desk.pending(sessions.frame()))
    with pytest.raises(RecorderBusy):
        committer.submit(desk.pending(sessions.frame()))


async def test_frames_survive_connections_that_are_killed_again_and_again(
    sessions: Sessions, postgres: Postgres
) -> None:
    session = await sessions.session()
    frames = [sessions.frame(token_usage=tokens(2, 1)) for _ in range(1500)]
    acked: dict[str, int] = {}

    async def acknowledged(count: int) -> None:
        await until(lambda: len(acked) >= count, 60)

    async def kill() -> int:
        killed = 0
        for count in range(100, 1500, 200):
            # Whenever some more came through: by a clock, a busy machine is killed faster than it commits.
            await acknowledged(count)
            killed += await asyncio.to_thread(_kill, postgres, sessions.database.name)
        return killed

    killing = asyncio.create_task(kill())
    await _record_all(sessions, session, frames, acked)
    assert await killing > 0
    histories = await sessions.histories(session)
    assert [each.id for each in histories] == [each.id for each in frames]
    assert [each.sequence for each in histories] == list(range(1, 1501))
    assert {each.id: each.sequence for each in histories} == acked
    assert (await sessions.usage(session)).total == 4500
    assert len(await sessions.outbox("usage.recorded")) == 1500


async def test_a_client_that_reads_nothing_is_not_read_and_in_the_end_let_go(
    sessions_database: ServiceDatabase, nats: Nats, callers: Callers, tmp_path: Path, logs: Logs
) -> None:
    changed = {"ack_window": 8, "unread_seconds": 1.0}
    async with serving(sessions_database, nats, callers, tmp_path, **changed) as served:
        session = await served.session()
        line = await served.attach(session)
        # Large rejections fill the transport much sooner than acks do.
        flood = served.frame("x", id="z" * 60_000)
        sending = asyncio.create_task(_flood(line, flood))
        neighbour = await served.attach(await served.session())
        await neighbour.record(*(served.frame() for _ in range(5)))
        async with asyncio.timeout(20):
            while not (await served.connections(session))[0].HasField("disconnect_time"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        # Reading on, it finds the end. With a write in hand grpc.aio's client names its own failure instead.
        with pytest.raises(grpc.aio.AioRpcError):
            await asyncio.wait_for(line.rest(), 20)
        assert any(line_["code"] == "RESOURCE_EXHAUSTED" for line_ in logs.lines() if "code" in line_)
        await asyncio.gather(sending, return_exceptions=True)


async def test_appending_without_the_database_is_told_to_try_again(
    sessions: Sessions, postgres: Postgres
) -> None:
    session = await sessions.session()
    opened = await sessions.open(session)
    frame = sessions.frame()
    first = await sessions.append(session, opened.connection_id, frame)
    with unreachable(sessions, postgres):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await sessions.append(session, opened.connection_id, sessions.frame())
        assert refusal(refused.value)[0] == grpc.StatusCode.UNAVAILABLE
    assert await sessions.append(session, opened.connection_id, frame) == first


async def test_what_was_sent_after_a_frame_of_unknown_fate_is_not_stored_before_it(
    sessions: Sessions, postgres: Postgres
) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    frames = [sessions.frame() for _ in range(3)]
    with unreachable(sessions, postgres):
        await line.send(frames[0])
        assert reason((await line.read()).rejection.status) == "FATE_UNKNOWN"
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await line.record(*frames[1:])
    assert refusal(ended.value) == (grpc.StatusCode.UNAVAILABLE, "FATE_UNKNOWN")
    assert await sessions.histories(session) == []
    again = await sessions.attach(session, resumed_connection_id=line.opened.connection_id)
    assert [ack.sequence for ack in await again.record(*frames)] == [1, 2, 3]


async def test_a_resumption_of_which_nobody_heard_that_it_was_committed_is_made_again(
    sessions: Sessions, postgres: Postgres
) -> None:
    session = await sessions.session()
    broken = (await sessions.open(session)).connection_id
    with commits_unanswered(sessions, postgres) as waiting:
        while True:
            attempt = asyncio.create_task(sessions.attach(session, resumed_connection_id=broken))
            await until(partial(_done_or, attempt, waiting))
            if not attempt.done():
                break
            broken = attempt.result().opened.connection_id
        _kill(postgres, sessions.database.name)
        with pytest.raises(grpc.aio.AioRpcError) as lost:
            await attempt
    assert refusal(lost.value)[0] == grpc.StatusCode.UNAVAILABLE
    assert len(await sessions.connections(session)) > 1, "it was not committed"

    async def ended() -> bool:
        return all(each.HasField("disconnect_time") for each in await sessions.connections(session))

    await until(ended)
    again = await sessions.attach(session, resumed_connection_id=broken)
    assert (await again.record(sessions.frame()))[0].sequence == 1


async def test_an_outage_in_a_batch_holds_back_what_the_same_sender_sent_later(
    sessions: Sessions, committer: Committer, postgres: Postgres
) -> None:
    desk = await desk_of(sessions, await sessions.session())
    order, other = Order(), Order()
    early, late = (replace(desk.pending(sessions.frame()), line=order) for _ in range(2))
    neighbour = replace(desk.pending(sessions.frame()), line=other)
    order.broken = True
    await committer.start()
    outcomes = await desk.store(committer, early, neighbour, late)
    assert [type(each) for each in outcomes] == [FateUnknown, Recorded, FateUnknown]


@contextmanager
def unreachable(sessions: Sessions, postgres: Postgres) -> Iterator[None]:
    """Keeps everybody from the service's database for as long as it is entered."""
    name = sessions.database.name
    with connect(postgres.url()) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        _kill(postgres, name)
    try:
        yield
    finally:
        with connect(postgres.url()) as admin:
            admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())


@contextmanager
def commits_unanswered(sessions: Sessions, postgres: Postgres) -> Iterator[Callable[[], bool]]:
    """Lets commits to the service's database happen unanswered; gives what says whether one waits.

    They wait for a replica that does not exist. A server process that is killed meanwhile has committed.
    """
    name = sessions.database.name
    with connect(postgres.url()) as admin:
        admin.execute(f"ALTER DATABASE {name} SET synchronous_commit = on".encode())
        _kill(postgres, name)
        _await_replica(admin, "nobody")
        # Of the app, since the worker commits what its jobs do at any time.
        waits = "SELECT FROM pg_stat_activity WHERE datname = %s AND usename = %s AND wait_event = 'SyncRep'"
        app = make_url(sessions.database.urls.app).username
        try:
            yield lambda: admin.execute(waits, (name, app)).fetchone() is not None
        finally:
            _await_replica(admin, "")


def _await_replica(admin: Connection[Any], name: str) -> None:
    admin.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'".encode())
    admin.execute("SELECT pg_reload_conf()")


def _done_or(task: asyncio.Task[Line], waiting: Callable[[], bool]) -> bool:
    return task.done() or waiting()


async def _flood(line: Line, frame: Frame) -> None:
    for _ in range(1000):
        await line.send(frame)


async def _record_all(
    sessions: Sessions, session: Session, frames: list[Frame], acked: dict[str, int]
) -> None:
    """Sends frames and, over new streams, those that are not acked, in their order, until all are."""
    while waiting := [each for each in frames if each.id not in acked]:
        line = await _attached(sessions, session)
        sending = asyncio.create_task(line.send(*waiting))
        try:
            while len(acked) < len(frames) and (answer := await line.read()):
                if answer.HasField("ack"):
                    acked[answer.ack.history_id] = answer.ack.sequence
                else:
                    assert reason(answer.rejection.status) == "FATE_UNKNOWN"
        except grpc.aio.AioRpcError as error:
            if refusal(error) != (grpc.StatusCode.UNAVAILABLE, "FATE_UNKNOWN"):
                raise
        await asyncio.gather(sending, return_exceptions=True)


async def _attached(sessions: Sessions, session: Session) -> Line:
    """Opens a stream, as often as it takes."""
    while True:
        try:
            return await sessions.attach(session)
        except grpc.aio.AioRpcError as error:
            if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED):
                raise


def _kill(postgres: Postgres, name: str) -> int:
    """Ends every connection to the database, as a crash of its server processes would."""
    with connect(postgres.url()) as admin:
        ended = admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
        )
        return len(ended.fetchall())
