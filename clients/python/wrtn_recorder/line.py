"""One stream of a recording, from its opening to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

import grpc

from wrtn.sessions.v1.recorder_pb2 import AttachRequest, AttachResponse, OpenConnectionRequest

from .errors import Broken

if TYPE_CHECKING:
    from wrtn.sessions.v1.recorder_pb2_grpc import RecorderServiceAsyncStub


class Line:
    """What is written goes up in order, beside what is read."""

    def __init__(self, stub: RecorderServiceAsyncStub, token: str, opening: OpenConnectionRequest) -> None:
        self.heard = monotonic()
        """When the service said something last, or began to owe an answer; on time.monotonic()."""
        self._call: grpc.aio.StreamStreamCall[AttachRequest, AttachResponse] = stub.Attach(
            metadata=(("authorization", f"Bearer {token}"),)
        )
        self._requests: asyncio.Queue[AttachRequest | None] = asyncio.Queue()
        self._half_closed = False
        self.write(AttachRequest(open=opening))

    def write(self, request: AttachRequest) -> None:
        """Hands a request to the stream."""
        self._requests.put_nowait(request)

    def half_close(self) -> None:
        """Says, once, that nothing more comes."""
        if not self._half_closed:
            self._half_closed = True
            self._requests.put_nowait(None)

    async def serve(
        self, take: Callable[[AttachResponse], bool], waits: Callable[[], bool], silence: float
    ) -> Exception | None:
        """Reads to the end of the stream, or until `take` wants no more; answers the fault that ended it.

        The stream is taken for broken if the service says nothing for `silence` seconds while it owes an
        answer: a half-open connection says nothing either.
        """
        writing, reading = asyncio.create_task(self._write()), asyncio.create_task(self._read(take))
        try:
            while not (await asyncio.wait({reading}, timeout=silence / 4))[0]:
                if waits() and monotonic() - self.heard > silence:
                    return Broken("the stream was silent for too long")
            return _fault(reading)
        finally:
            writing.cancel()
            reading.cancel()
            self._call.cancel()
            await asyncio.gather(writing, reading, return_exceptions=True)

    async def _read(self, take: Callable[[AttachResponse], bool]) -> None:
        while isinstance(response := await self._call.read(), AttachResponse):
            self.heard = monotonic()
            if not take(response):
                return

    async def _write(self) -> None:
        # How a stream ends is the reader's to find out.
        with suppress(grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.InvalidStateError):
            while (request := await self._requests.get()) is not None:
                await self._call.write(request)
            await self._call.done_writing()


def _fault(reading: asyncio.Task[None]) -> Exception | None:
    """Answers why the reader ended; raises what is no fault of the stream."""
    if reading.cancelled():
        # grpc.aio raises what the service cancelled as if it had been cancelled here.
        return Broken("the stream was cancelled")
    fault = reading.exception()
    if fault is None or isinstance(fault, Broken | grpc.aio.AioRpcError):
        return fault
    raise fault
