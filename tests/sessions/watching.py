"""The watcher's end of a live view, for tests."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis.testing.callers import Known
from tests.sessions.make import Line, Session, Sessions
from wrtn.sessions.v1.chat_sessions_pb2 import History
from wrtn.sessions.v1.recorder_pb2 import AttachRequest, Control, Delta
from wrtn.sessions.v1.watch_pb2 import WatchChatSessionRequest, WatchChatSessionResponse
from wrtn.sessions.v1.watch_pb2_grpc import WatchServiceStub


class View:
    """One watch."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self.shown: list[History] = []

    async def read(self) -> WatchChatSessionResponse:
        """Reads one message; fails at the end."""
        answer: Any = await self.call.read()
        assert isinstance(answer, WatchChatSessionResponse), "the watch ended"
        if answer.HasField("history"):
            self.shown.append(answer.history)
        return answer

    async def caught_up(self) -> int:
        """Reads until all that was stored has come; answers the last sequence."""
        while not (answer := await self.read()).HasField("caught_up"):
            pass
        return answer.caught_up.last_sequence

    async def histories(self, count: int) -> list[History]:
        """Reads until so many histories were shown in all, past pieces of answers."""
        while len(self.shown) < count:
            await self.read()
        return self.shown

    async def rest(self) -> None:
        """Reads to the end, which must be an error."""
        while True:
            await self.read()

    async def delta(self) -> Delta:
        """Reads the next message, which must be a piece of an answer."""
        answer = await self.read()
        assert answer.HasField("delta"), answer
        return answer.delta

    async def control(self) -> Control.Kind.ValueType:
        """Reads until the word with which the watch ends."""
        while not (answer := await self.read()).HasField("control"):
            pass
        assert await self.call.read() is grpc.aio.EOF
        assert await self.call.code() == grpc.StatusCode.OK
        return answer.control.kind


def watch(
    sessions: Sessions,
    session: Session,
    by: Known | None = None,
    after: int = 0,
    tenant_id: UUID | None = None,
) -> View:
    """Begins to watch, as the owner unless somebody is named."""
    request = WatchChatSessionRequest(
        chat_session_id=session.id, after_sequence=after, tenant_id=str(tenant_id) if tenant_id else ""
    )
    stub = WatchServiceStub(sessions.channel)
    return View(stub.WatchChatSession(request, metadata=(by or session.owner).metadata))


async def write(line: Line, history_id: str, *texts: str) -> None:
    """Sends the pieces of an answer."""
    position = 0
    for text in texts:
        delta = Delta(history_id=history_id, position=position, text=text)
        await line.call.write(AttachRequest(delta=delta))
        position += len(text)
