"""A client that floods, or reads nothing, meets a bound; its neighbours do not notice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody

from chassis.embedded.nats import Nats
from chassis.testing.callers import Callers
from chassis.testing.databases import ServiceDatabase
from chassis.testing.logs import Logs
from chassis.testing.waiting import until
from services.sessions import committer as committing
from services.sessions import stream as streaming
from tests.sessions.make import Sessions, reason, refusal, serving
from wrtn.sessions.v1.files_pb2 import CreateFileRequest, UploadFileRequest
from wrtn.sessions.v1.files_pb2_grpc import FileServiceStub
from wrtn.sessions.v1.recorder_pb2 import AttachResponse

WINDOW = 8


async def test_a_flood_is_read_no_faster_than_it_is_stored_and_neighbours_are_acked_meanwhile(
    sessions_database: ServiceDatabase,
    nats: Nats,
    callers: Callers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting: list[int] = []
    weigh = committing.Committer._weigh

    def weighed(self: committing.Committer, frames: int, size: int) -> None:
        weigh(self, frames, size)
        waiting.append(self._count)

    monkeypatch.setattr(committing.Committer, "_weigh", weighed)
    async with serving(sessions_database, nats, callers, tmp_path, ack_window=WINDOW) as served:
        flooding = await served.attach(await served.session())
        neighbour = await served.attach(await served.session())
        frames = [served.frame() for _ in range(600)]
        sending = asyncio.create_task(flooding.send(*frames))
        for number in range(1, 11):
            assert [each.sequence for each in await neighbour.record(served.frame())] == [number]
        acks = await flooding.acks(len(frames))
        await sending
        assert [each.sequence for each in acks] == list(range(1, len(frames) + 1))
        assert max(waiting) <= WINDOW + 1


async def test_large_frames_of_one_stream_are_read_only_as_far_as_its_bytes_go(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    weigh = streaming.Stream._weigh

    def weighed(self: streaming.Stream, answers: int) -> None:
        weigh(self, answers)
        held.append(self._bytes)

    monkeypatch.setattr(streaming.Stream, "_weigh", weighed)
    line = await sessions.attach(await sessions.session())
    body = '"' + "x" * 1_000_000 + '"'
    acks = await line.record(*(sessions.frame(body) for _ in range(20)))
    assert [each.sequence for each in acks] == list(range(1, 21))
    assert max(held) < streaming.WINDOW_BYTES + 1024 * 1024 + 1024


async def test_who_reads_nothing_is_owed_a_bounded_number_of_answers_and_let_go(
    sessions_database: ServiceDatabase,
    nats: Nats,
    callers: Callers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    logs: Logs,
) -> None:
    owed: list[int] = []
    expired: list[streaming.Stream] = []
    say, expire = streaming.Stream._say, streaming.Stream.expire

    def said(self: streaming.Stream, answer: AttachResponse) -> None:
        say(self, answer)
        owed.append(len(self._answers))

    def let_go(self: streaming.Stream, unread_seconds: float) -> bool:
        gone = expire(self, unread_seconds)
        if gone:
            expired.append(self)
        return gone

    monkeypatch.setattr(streaming.Stream, "_say", said)
    monkeypatch.setattr(streaming.Stream, "expire", let_go)
    changed = {"ack_window": WINDOW, "unread_seconds": 1.0}
    async with serving(sessions_database, nats, callers, tmp_path, **changed) as served:
        unread = await served.attach(await served.session())
        neighbour = await served.attach(await served.session())
        # A rejection repeats the id: large ones fill what the transport holds sooner than acks.
        flood = served.frame("x", id="z" * 60_000)
        sending = asyncio.create_task(unread.send(*[flood] * 1000))
        count = 0
        while not expired:
            count += 1
            assert [each.sequence for each in await neighbour.record(served.frame())] == [count]
        assert max(owed) <= WINDOW + 1
        # With a write in hand grpc.aio's client names its own failure, so the log says what ended the stream.
        with pytest.raises(grpc.aio.AioRpcError):
            await unread.rest()
        await until(lambda: any(line.get("code") == "RESOURCE_EXHAUSTED" for line in logs.lines()))
        await asyncio.gather(sending, return_exceptions=True)
        await neighbour.record(served.frame())


async def test_malformed_frames_get_clear_errors_and_neighbours_do_not_notice(sessions: Sessions) -> None:
    line, neighbour = (
        await sessions.attach(await sessions.session()),
        await sessions.attach(await sessions.session()),
    )
    bad = {
        "not an id": sessions.frame(id="not an id"),
        "no type": sessions.frame(type=""),
        "a body that is no JSON": sessions.frame("{"),
        "too large": sessions.frame('"' + "x" * 1_048_576 + '"'),
        "too deep": sessions.frame("[" * 5000 + "]" * 5000),
    }
    for number, (what, frame) in enumerate(bad.items(), 1):
        await line.send(frame)
        answer = await line.read()
        assert answer.HasField("rejection"), what
        assert reason(answer.rejection.status) in ("REQUEST_INVALID", "BODY_INVALID"), what
        assert [each.sequence for each in await neighbour.record(sessions.frame())] == [number]
    assert [each.sequence for each in await line.record(sessions.frame())] == [1]


async def test_what_is_unknown_or_foreign_gets_clear_errors_and_neighbours_do_not_notice(
    sessions: Sessions,
) -> None:
    session, neighbours = await sessions.session(), await sessions.session()
    neighbour = await sessions.attach(neighbours)
    line = await sessions.attach(session)
    await line.record(sessions.frame())
    missing = str(sessions.clock.new_id())
    lying = CreateFileRequest(
        chat_session_id=session.id, display_name="x", media_type="image/png", size=4, sha256=bytes(32)
    )
    files = FileServiceStub(sessions.channel)
    file = await files.CreateFile(lying, metadata=session.owner.metadata)

    async def upload() -> None:
        content = UploadFileRequest(
            chat_session_id=session.id, file_id=file.id, content=HttpBody(data=b"longer than said")
        )
        await files.UploadFile(iter([content]), metadata=session.owner.metadata)

    foreign = neighbour.opened.connection_id
    attempts: dict[str, tuple[Callable[[], Awaitable[object]], str]] = {
        "an unknown connection": (
            lambda: sessions.append(session, missing, sessions.frame()),
            "CONNECTION_NOT_FOUND",
        ),
        "a foreign connection": (
            lambda: sessions.append(session, foreign, sessions.frame()),
            "CONNECTION_NOT_FOUND",
        ),
        "a foreign connection resumed": (
            lambda: sessions.open(session, resumed_connection_id=foreign),
            "CONNECTION_NOT_FOUND",
        ),
        "an unknown ticket": (lambda: sessions.open(session, ticket="no ticket"), "TICKET_REFUSED"),
        "a foreign session": (
            lambda: sessions.ticket(replace(neighbours, owner=session.owner)),
            "SESSION_NOT_FOUND",
        ),
        "a file that lies": (upload, "FILE_LONGER_THAN_DECLARED"),
    }
    for number, (what, (attempt, why)) in enumerate(attempts.items(), 1):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await attempt()
        assert refusal(refused.value)[1] == why, what
        assert [each.sequence for each in await neighbour.record(sessions.frame())] == [number]
    await line.send(sessions.frame(file_ids=[missing]))
    assert reason((await line.read()).rejection.status) == "FILE_NOT_FOUND"
    assert [each.sequence for each in await line.record(sessions.frame())] == [2]


async def test_streams_wait_while_the_recorder_is_full_and_nothing_of_theirs_is_refused(
    sessions_database: ServiceDatabase, nats: Nats, callers: Callers, tmp_path: Path
) -> None:
    async with serving(sessions_database, nats, callers, tmp_path, recorder_queue=2) as served:
        line = await served.attach(await served.session())
        acks = await line.record(*(served.frame() for _ in range(60)))
        assert [each.sequence for each in acks] == list(range(1, 61))
