"""What open streams cost: `python -m tests.bench.streams [--streams N]`.

Prints by how much the memory of a process grows (PSS: its own, and its part of what it shares) when so many
Attach streams are opened on it, each with one frame acked, beside that of bare grpc.aio echo streams.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc

from tests.bench.__main__ import servers
from tests.bench.load import frame
from tests.bench.servers import serving
from wrtn.sessions.v1.recorder_pb2 import AttachRequest, AttachResponse, OpenConnectionRequest
from wrtn.sessions.v1.recorder_pb2_grpc import RecorderServiceStub

STREAMS_A_CHANNEL = 100
AT_ONCE = 20
MEBIBYTE = 1024 * 1024


def main() -> None:
    """Starts PostgreSQL, NATS, the floor and sessions as processes, and measures the two."""
    parser = argparse.ArgumentParser("tests.bench.streams", description="Measures what open streams cost.")
    parser.add_argument("--streams", type=int, default=1000, help="how many are open")
    count = parser.parse_args().streams
    with tempfile.TemporaryDirectory(prefix="wrtn-bench-") as folder:
        run(Path(folder), count)


def run(folder: Path, count: int) -> None:
    """Measures over servers of its own in this folder."""
    with servers(folder) as (postgres, nats_url, urls):
        floor_url = postgres.replace("postgresql+psycopg", "postgresql")
        place = (urls.owner, urls.app, urls.worker, nats_url, str(folder / "sessions"), str(count))
        with serving("inserting", floor_url) as floor:
            report("bare streams", asyncio.run(growth(floor, count)), count)
        with serving("sessions", *place) as ours:
            report("Attach streams", asyncio.run(growth(ours, count)), count)


def report(what: str, found: tuple[int, int], count: int) -> None:
    """Prints what was found."""
    before, after = (each / MEBIBYTE for each in found)
    print(f"{count} {what:<15} {before:6.1f} MiB before, {after:6.1f} MiB open, {after - before:+6.1f} MiB")


async def growth(server: dict[str, Any], count: int) -> tuple[int, int]:
    """Answers the memory of the process without streams and with so many, in bytes."""
    openings = server.get("connections", [""] * count)
    metadata = (("authorization", f"Bearer {server.get('token', '')}"),)
    async with AsyncExitStack() as closing:
        stubs = []
        for number in range(-(-count // STREAMS_A_CHANNEL)):
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{server['port']}", [("channel", number)])
            stubs.append(RecorderServiceStub(await closing.enter_async_context(channel)))
            await channel.channel_ready()
        before = memory(server["pid"])
        turn = asyncio.Semaphore(AT_ONCE)

        async def opened(number: int) -> Any:
            async with turn:
                call = stubs[number // STREAMS_A_CHANNEL].Attach(metadata=metadata)
                await use(call, openings[number])
                return call

        calls = await asyncio.gather(*(opened(number) for number in range(count)))
        after = memory(server["pid"])
        for call in calls:
            call.cancel()
    return before, after


async def use(call: Any, opening: str) -> None:
    """Opens a stream and records one frame."""
    if opening:
        await call.write(AttachRequest(open=OpenConnectionRequest(resumed_connection_id=opening)))
        await call.read()
    await call.write(AttachRequest(frame=frame()))
    answer = await call.read()
    if not (isinstance(answer, AttachResponse) and answer.HasField("ack")):
        raise RuntimeError(f"no ack: {answer}")


def memory(pid: int) -> int:
    """Answers the proportional set size of a process, in bytes."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"process {pid} tells no PSS")


if __name__ == "__main__":
    main()
