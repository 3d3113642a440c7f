"""The load: closed loops with a fixed number of callers, bounded in time, on the loopback alone."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable

import grpc

from wrtn.sessions.v1.recorder_pb2 import (
    AppendHistoryRequest,
    AttachRequest,
    AttachResponse,
    Frame,
    OpenConnectionRequest,
)
from wrtn.sessions.v1.recorder_pb2_grpc import RecorderServiceStub

CALLERS = 16
CHANNELS = 4
WINDOW = 128
"""Frames on their way a stream."""
BODY = '{"text":"' + "What is the eighth Bernoulli number, and who was first to compute it? " * 6 + '"}'


def frame() -> Frame:
    """Makes a frame that used tokens."""
    built = Frame(id=str(uuid.uuid4()), type="assistant_message", body=BODY)
    built.token_usage.total = 1200
    built.token_usage.input.total = 1000
    built.token_usage.input.cached = 400
    built.token_usage.output.total = 200
    return built


async def unary(port: int, connections: list[str], token: str, seconds: float) -> float:
    """Answers how many appends a second went through, one at a time each caller."""
    metadata = (("authorization", f"Bearer {token}"),)
    channels = [grpc.aio.insecure_channel(f"127.0.0.1:{port}", [("channel", n)]) for n in range(CHANNELS)]

    async def caller(number: int, going: Callable[[], bool]) -> int:
        stub, done = RecorderServiceStub(channels[number % CHANNELS]), 0
        while going():
            request = AppendHistoryRequest(connection_id=connections[number], frame=frame())
            await stub.AppendHistory(request, metadata=metadata)
            done += 1
        return done

    try:
        return await rate([lambda going, n=n: caller(n, going) for n in range(CALLERS)], seconds)  # type: ignore[misc]
    finally:
        for channel in channels:
            await channel.close()


async def streams(port: int, openings: list[str], token: str, seconds: float) -> float:
    """Answers how many streamed frames a second were acked; without openings the streams need none."""
    metadata = (("authorization", f"Bearer {token}"),)
    channels = [grpc.aio.insecure_channel(f"127.0.0.1:{port}", [("channel", n)]) for n in range(CHANNELS)]

    async def caller(number: int, going: Callable[[], bool]) -> int:
        call = RecorderServiceStub(channels[number % CHANNELS]).Attach(metadata=metadata)
        if openings:
            opening = OpenConnectionRequest(resumed_connection_id=openings[number])
            await call.write(AttachRequest(open=opening))
            await call.read()
        room, done, sent = asyncio.Semaphore(WINDOW), 0, 0

        async def send() -> None:
            nonlocal sent
            while going():
                await room.acquire()
                await call.write(AttachRequest(frame=frame()))
                sent += 1

        sending = asyncio.create_task(send())
        while going():
            answer = await call.read()
            if not (isinstance(answer, AttachResponse) and answer.HasField("ack")):
                raise RuntimeError(f"no ack: {answer}")
            done += 1
            room.release()
        sending.cancel()
        call.cancel()
        return done

    try:
        return await rate([lambda going, n=n: caller(n, going) for n in range(CALLERS)], seconds)  # type: ignore[misc]
    finally:
        for channel in channels:
            await channel.close()


async def http(port: int, path: str, seconds: float) -> float:
    """Answers how many GETs a second went through, on kept connections, one at a time each."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\r\n".encode()

    async def caller(going: Callable[[], bool]) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        done = 0
        while going():
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode())
            await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
            done += 1
        writer.close()
        return done

    return await rate([caller] * CALLERS, seconds)


async def rate(callers: list[Callable[[Callable[[], bool]], Awaitable[int]]], seconds: float) -> float:
    """Runs the callers for so long, and answers how much they did a second."""
    began = time.perf_counter()
    until = began + seconds

    def going() -> bool:
        return time.perf_counter() < until

    done = await asyncio.gather(*(caller(going) for caller in callers))
    return sum(done) / (time.perf_counter() - began)
