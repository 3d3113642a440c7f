"""A recorder service in this process that keeps what it is sent and misbehaves as a test asks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import grpc
from google.rpc.status_pb2 import Status

from wrtn.sessions.v1.recorder_pb2 import (
    Ack,
    AttachResponse,
    Control,
    Delta,
    Frame,
    OpenConnectionRequest,
    Opened,
    Rejection,
)
from wrtn.sessions.v1.recorder_pb2_grpc import (
    RecorderServiceServicer,
    add_RecorderServiceServicer_to_server,
)

Code = grpc.StatusCode


class Stream:
    """An open stream, as the service has it."""

    def __init__(self, context: Any, token: str) -> None:
        self.context = context
        self.token = token
        self._writing = asyncio.Lock()

    async def write(self, answer: AttachResponse) -> None:
        """Sends an answer; gRPC takes one at a time."""
        async with self._writing:
            await self.context.write(answer)

    async def ack(self, frame: Frame, sequence: int) -> None:
        """Says that a frame is durable."""
        await self.write(AttachResponse(ack=Ack(history_id=frame.id, sequence=sequence)))

    async def refuse(self, history_id: str, code: Code, message: str, *, delta: bool = False) -> None:
        """Refuses a frame, or a piece of an answer."""
        status = Status(code=code.value[0], message=message)
        rejection = Rejection(history_id=history_id, status=status, delta=delta)
        await self.write(AttachResponse(rejection=rejection))


class Service(RecorderServiceServicer):
    """What it was sent, and how it misbehaves."""

    def __init__(self) -> None:
        self.openings: list[OpenConnectionRequest] = []
        self.stored: list[Frame] = []
        """The frames that are durable, in order."""
        self.received: Counter[str] = Counter()
        """How often each frame came."""
        self.shown: list[Delta] = []
        self.tokens: list[str] = []
        self.open: set[Stream] = set()
        self.on_frame: Callable[[Frame, Stream], Any] | None = None
        """Deals with a frame in place of the service, if it answers true."""
        self.on_open: Callable[[Stream], Code | None] = lambda _stream: None
        """Refuses an opening with this code."""
        self.port = 0
        self._server = grpc.aio.server()

    async def start(self, port: int = 0) -> Service:
        """Serves."""
        self._server = grpc.aio.server()
        add_RecorderServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        await self._server.start()
        return self

    async def stop(self) -> None:
        """Ends at once, with all streams."""
        await self._server.stop(0)

    async def break_all(self) -> None:
        """Breaks every open stream, as a crash does."""
        port = self.port
        await self.stop()
        await self.start(port)

    async def tell(self, kind: Control.Kind.ValueType) -> None:
        """Tells every open stream something."""
        for stream in list(self.open):
            await stream.write(AttachResponse(control=Control(kind=kind)))

    async def Attach(self, requests: Any, context: Any) -> None:  # type: ignore[override]  # noqa: N802
        """Serves one stream."""
        stream = Stream(context, dict(context.invocation_metadata())["authorization"])
        self.tokens.append(stream.token)
        self.open.add(stream)
        try:
            async for request in requests:
                kind = request.WhichOneof("message")
                if kind == "open":
                    await self._open(request.open, stream)
                elif kind == "delta":
                    self.shown.append(request.delta)
                else:
                    await self._take(request.frame, stream)
        finally:
            self.open.discard(stream)

    async def _open(self, opening: OpenConnectionRequest, stream: Stream) -> None:
        self.openings.append(opening)
        code = self.on_open(stream)
        if code is not None:
            await stream.context.abort(code, "refused")
        opened = Opened(connection_id=f"connection-{len(self.openings)}", model="m/m")
        await stream.write(AttachResponse(opened=opened))

    async def _take(self, frame: Frame, stream: Stream) -> None:
        self.received[frame.id] += 1
        if self.on_frame is not None and await self.on_frame(frame, stream):
            return
        if frame not in self.stored:
            self.stored.append(frame)
        await stream.ack(frame, self.stored.index(frame) + 1)
