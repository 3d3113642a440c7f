"""A client that floods, or reads nothing, meets a bound; its neighbours do not notice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest

from chassis.embedded.nats import Nats
from chassis.testing.callers import Callers
from chassis.testing.databases import ServiceDatabase
from chassis.testing.logs import Logs
from chassis.testing.waiting import until
from services.sessions import committer as committing
from services.sessions import stream as streaming
from tests.sessions.make import Sessions, reason, serving
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
