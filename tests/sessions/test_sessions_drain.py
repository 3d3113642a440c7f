"""A drain moves open streams to another replica without losing a frame."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc

from chassis.embedded.nats import Nats
from chassis.testing.callers import Callers
from chassis.testing.databases import ServiceDatabase
from chassis.testing.waiting import until
from tests.sessions.make import Line, Session, Sessions, serving, tokens
from wrtn.sessions.v1.recorder_pb2 import Control, Frame

STREAMS = 50
FRAMES = 20


class Writer:
    """One websocket server's connection: sends its frames in order, and again what was not acked."""

    def __init__(self, session: Session, line: Line, frames: list[Frame]) -> None:
        self.session = session
        self.line = line
        self.frames = frames
        self.acked: dict[str, int] = {}
        self.told: list[Control.Kind.ValueType] = []

    async def begin(self) -> None:
        """Sends the first half of its frames and reads what comes until the server is done with it."""
        sending = asyncio.create_task(self.line.send(*self.frames[: FRAMES // 2]))
        while (answer := await self.line.call.read()) is not grpc.aio.EOF:
            if answer.HasField("ack"):
                self.acked[answer.ack.history_id] = answer.ack.sequence
            else:
                self.told.append(answer.control.kind)
        await asyncio.gather(sending, return_exceptions=True)

    async def go_on(self, replica: Sessions) -> None:
        """Resumes elsewhere, and sends all that is not acked."""
        broken = self.line.opened.connection_id
        self.line = await replica.attach(self.session, resumed_connection_id=broken)
        for ack in await self.line.record(*(each for each in self.frames if each.id not in self.acked)):
            self.acked[ack.history_id] = ack.sequence


async def writer(served: Sessions) -> Writer:
    """Opens a stream of its own session."""
    session = await served.session()
    frames = [served.frame(f'"{number}"', token_usage=tokens(1, 1)) for number in range(FRAMES)]
    return Writer(session, await served.attach(session), frames)


async def test_a_drain_moves_fifty_streams_without_losing_or_doubling_a_frame(
    sessions_database: ServiceDatabase, nats: Nats, callers: Callers, tmp_path: Path
) -> None:
    async with serving(sessions_database, nats, callers, tmp_path) as replica:
        async with serving(sessions_database, nats, callers, tmp_path) as served:
            writers = [await writer(served) for _ in range(STREAMS)]
            beginning = [asyncio.create_task(each.begin()) for each in writers]
            await until(lambda: any(each.acked for each in writers))
            served.running.runtime.draining.set()
            await asyncio.gather(*beginning)
        assert [each.told for each in writers] == [[Control.KIND_SERVER_DRAINING]] * STREAMS
        await asyncio.gather(*(each.go_on(replica) for each in writers))
        for each in writers:
            stored = await replica.histories(each.session)
            assert [history.sequence for history in stored] == list(range(1, FRAMES + 1))
            assert [history.id for history in stored] == [frame.id for frame in each.frames]
            assert {history.id: history.sequence for history in stored} == each.acked
            assert (await replica.usage(each.session)).total == 2 * FRAMES
        assert len(await replica.outbox("usage.recorded")) == STREAMS * FRAMES
