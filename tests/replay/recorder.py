"""The recorder: what a websocket server does over gRPC, with resume after every kind of break."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import grpc

from tests.replay.conversations import Frame
from tests.replay.rest import Rest
from wrtn.sessions.v1 import recorder_pb2

if TYPE_CHECKING:
    from wrtn.sessions.v1.recorder_pb2_grpc import RecorderServiceAsyncStub

WINDOW = 64
"""How many frames may be on their way without an ack."""
PATIENCE_SECONDS = 120
ATTACH_SECONDS = 30
"""How long an open stream may be silent before it is taken for broken."""
PASSING = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.NOT_FOUND,
}
"""After these another try, with a fresh token and another authority, may well go through."""

OWN_FAILURE = "Internal error from Core"
"""What grpc.aio itself says, as INTERNAL, when a write finds the connection gone; the server said nothing."""

Stream = grpc.aio.StreamStreamCall[recorder_pb2.AttachRequest, recorder_pb2.AttachResponse]


class Rejected(Exception):
    """The suite refused a frame for good."""


class Broken(Exception):
    """The stream ended before every frame was acked."""


@dataclass
class Credential:
    """The service credential of the websocket server, and its token of the moment."""

    rest: Rest
    id: str
    secret: str
    _token: str = ""
    _until: float = 0.0

    async def token(self) -> str:
        """Answers a token that is good for some minutes."""
        if time.monotonic() > self._until:
            body = {"credentialId": self.id, "secret": self.secret}
            answer = await self.rest.call("POST", "/v1/auth:issueServiceToken", body=body)
            self._token, self._until = answer["accessToken"], time.monotonic() + 300
        return self._token

    def forget(self) -> None:
        """Asks for another token next time."""
        self._until = 0.0


@dataclass
class Recording:
    """One session being recorded. `acked` is told of every durable frame, once."""

    stub: RecorderServiceAsyncStub
    credential: Credential
    ticket: Callable[[], Awaitable[str]]
    acked: Callable[[Frame, int], None]
    _pending: dict[str, Frame] = field(default_factory=dict)
    _connection: str = ""
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(WINDOW))

    async def record(self, frames: Sequence[Frame]) -> None:
        """Records the frames in order; returns when all are durable.

        Raises Rejected if one is refused, TimeoutError if none gets through for two minutes.
        """
        self._pending = {frame.id: frame for frame in frames}
        last_progress, left, pause = time.monotonic(), len(frames), 0.05
        while self._pending:
            try:
                await self._attach()
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError, Broken, TimeoutError) as fault:
                self._give_up_or_go_on(fault, last_progress)
                await asyncio.sleep(pause)
                pause = min(2 * pause, 1.0)
            if len(self._pending) < left:
                last_progress, left, pause = time.monotonic(), len(self._pending), 0.05

    def _give_up_or_go_on(self, fault: Exception, last_progress: float) -> None:
        code = fault.code() if isinstance(fault, grpc.aio.AioRpcError) else None
        own = isinstance(fault, grpc.aio.AioRpcError) and fault.details() == OWN_FAILURE
        if code is not None and code not in PASSING and not own:
            raise fault
        if time.monotonic() - last_progress > PATIENCE_SECONDS:
            raise TimeoutError(f"no frame got through for {PATIENCE_SECONDS} s") from fault
        if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.NOT_FOUND):
            # The connection cannot be resumed, or the token is no more: begin with a new ticket.
            self._connection = ""
            self.credential.forget()

    async def _attach(self) -> None:
        """Opens one stream, sends what is pending and reads acks until none is."""
        self._room = asyncio.Semaphore(WINDOW)
        opening = await self._opening()
        metadata = (("authorization", f"Bearer {await self.credential.token()}"),)
        stream: Stream = self.stub.Attach(metadata=metadata)
        sender: asyncio.Task[None] | None = None
        try:
            await stream.write(recorder_pb2.AttachRequest(open=opening))
            opened = await self._read(stream)
            self._connection = opened.opened.connection_id
            sender = asyncio.create_task(self._send(stream))
            while self._pending:
                self._take(await self._read(stream))
            await sender
            await stream.done_writing()
            if await stream.read() is not grpc.aio.EOF:
                raise Broken("the service said something after the last ack")
        finally:
            if sender:
                sender.cancel()
            stream.cancel()

    async def _opening(self) -> recorder_pb2.OpenConnectionRequest:
        client = {"client": "replay", "address": "127.0.0.1"}
        if self._connection:
            return recorder_pb2.OpenConnectionRequest(resumed_connection_id=self._connection, **client)
        return recorder_pb2.OpenConnectionRequest(ticket=await self.ticket(), **client)

    async def _send(self, stream: Stream) -> None:
        for frame in list(self._pending.values()):
            await self._room.acquire()
            await stream.write(recorder_pb2.AttachRequest(frame=message(frame)))

    async def _read(self, stream: Stream) -> recorder_pb2.AttachResponse:
        response = await asyncio.wait_for(stream.read(), ATTACH_SECONDS)
        if isinstance(response, recorder_pb2.AttachResponse):
            return response
        raise Broken("the service ended the stream before all was acked")

    def _take(self, response: recorder_pb2.AttachResponse) -> None:
        kind = response.WhichOneof("message")
        if kind == "rejection":
            self._take_rejection(response.rejection)
        elif kind == "control":
            raise Broken(recorder_pb2.Control.Kind.Name(response.control.kind))
        elif frame := self._pending.pop(response.ack.history_id, None):
            self._room.release()
            self.acked(frame, response.ack.sequence)

    def _take_rejection(self, rejection: recorder_pb2.Rejection) -> None:
        code = rejection.status.code
        if code not in {passing.value[0] for passing in PASSING}:
            raise Rejected(f"{rejection.history_id}: {code} {rejection.status.message}")
        raise Broken(rejection.status.message)


def message(frame: Frame) -> recorder_pb2.Frame:
    """Builds the frame's message."""
    built = recorder_pb2.Frame(id=frame.id, type=frame.type, body=frame.body)
    if frame.usage:
        built.token_usage.total = frame.usage.input + frame.usage.output
        built.token_usage.input.total = frame.usage.input
        built.token_usage.output.total = frame.usage.output
    return built
