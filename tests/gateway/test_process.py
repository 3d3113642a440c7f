"""The gateway as a process of its own, behind its real server."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.gateway.conftest import ROOT, free_port
from tests.gateway.library import SERVICE, Library


@pytest.fixture
async def process(
    descriptor_set: Path, backend: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int, int]]:
    """The running process, its port and its metrics port; killed at the end if it still runs."""
    port, metrics_port = free_port(), free_port()
    arguments = ["--descriptor-set", str(descriptor_set), "--backend", f"{SERVICE}={backend}"]
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        *arguments,
        "--port",
        str(port),
        "--metrics-port",
        str(metrics_port),
        cwd=ROOT,
        env={**os.environ, "WRTN_GATEWAY_DRAIN_SECONDS": "5"},
    )
    try:
        await until_it_serves(started, port)
        yield started, port, metrics_port
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def until_it_serves(started: asyncio.subprocess.Process, port: int) -> None:
    deadline = time.monotonic() + 20
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        while time.monotonic() < deadline and started.returncode is None:
            try:
                if (await client.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)
    raise AssertionError("the gateway did not come up")


async def seen(event: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(3):
            return await event.wait()
    except TimeoutError:
        return False


async def raw(port: int, request: bytes) -> bytes:
    """Sends bytes and answers the first line of what comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(5):
            return await reader.readline()
    finally:
        writer.close()


async def test_a_client_that_goes_away_cancels_its_call(
    process: tuple[asyncio.subprocess.Process, int, int], library: Library
) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{process[1]}") as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/v1/wait?pauseSeconds=60", timeout=0.3)
        assert await seen(library.cancelled)


@pytest.mark.parametrize(
    "path", ["/v1/count?pauseSeconds=0.01", "/v1/books/b/chunks?chunks=1000000&chunkSize=60000"]
)
async def test_a_client_that_leaves_a_stream_cancels_it(
    process: tuple[asyncio.subprocess.Process, int, int], library: Library, path: str
) -> None:
    url = f"http://127.0.0.1:{process[1]}{path}"
    async with httpx.AsyncClient() as client, client.stream("GET", url) as response:
        async for _ in response.aiter_raw():
            break
    assert await seen(library.cancelled)


async def test_a_slow_reader_holds_the_stream_back(
    process: tuple[asyncio.subprocess.Process, int, int], library: Library
) -> None:
    """Nothing piles up: the backend is slowed by the client, through gRPC's flow control and the socket's."""
    _, writer = await asyncio.open_connection("127.0.0.1", process[1], limit=1024)
    writer.write(b"GET /v1/books/b/chunks?chunks=1000000&chunkSize=65536 HTTP/1.1\r\nHost: x\r\n\r\n")
    before = -1
    while library.sent != before or not library.sent:
        before = library.sent
        await asyncio.sleep(0.3)
    assert library.sent * 65536 < 64 * 1024 * 1024
    writer.close()
    assert await seen(library.cancelled)


async def test_a_stream_that_fails_in_the_middle_is_cut_off(
    process: tuple[asyncio.subprocess.Process, int, int],
) -> None:
    url = f"http://127.0.0.1:{process[1]}/v1/books/b/chunks?chunks=9&chunkSize=100&failAfter=2"
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(url)


async def test_large_bodies_stream_up_and_down(process: tuple[asyncio.subprocess.Process, int, int]) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for number in range(200):
            yield bytes([number]) * 50_000

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{process[1]}", timeout=20) as client:
        up = await client.post("/v1/books/b1/chunks", content=parts())
        down = await client.get("/v1/books/b1/chunks?chunks=200&chunkSize=50000")
    assert up.json()["size"] == "10000000"
    assert len(down.content) == 10_000_000


async def test_the_server_refuses_what_is_no_request(
    process: tuple[asyncio.subprocess.Process, int, int],
) -> None:
    port = process[1]
    assert b" 414 " in await raw(port, b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b" 431 " in await raw(port, b"GET / HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 500_000 + b"\r\n\r\n")
    assert b" 400 " in await raw(port, b"NONSENSE\x00\r\n\r\n")
    assert b" 404 " in await raw(port, b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")


async def test_metrics_are_on_a_port_of_their_own(
    process: tuple[asyncio.subprocess.Process, int, int],
) -> None:
    async with httpx.AsyncClient() as client:
        await client.get(f"http://127.0.0.1:{process[1]}/v1/books/b1")
        public = await client.get(f"http://127.0.0.1:{process[1]}/metrics")
        found = await client.get(f"http://127.0.0.1:{process[2]}/metrics")
    assert public.status_code == 404
    assert 'gateway_requests_total{rpc="/library.v1.Library/GetBook",status="200"} 1.0' in found.text


async def test_sigterm_lets_running_requests_finish(
    process: tuple[asyncio.subprocess.Process, int, int],
) -> None:
    started, port, _ = process
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        running = asyncio.create_task(client.get("/v1/wait?pauseSeconds=1"))
        await asyncio.sleep(0.3)
        started.send_signal(signal.SIGTERM)
        assert (await running).status_code == 200
        assert await asyncio.wait_for(started.wait(), 6) == 0


async def test_a_taken_port_is_said_plainly(
    process: tuple[asyncio.subprocess.Process, int, int], descriptor_set: Path
) -> None:
    second = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        "--descriptor-set",
        str(descriptor_set),
        "--backend",
        f"{SERVICE}=h:1",
        "--port",
        str(process[1]),
        "--metrics-port",
        "0",
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await asyncio.wait_for(second.communicate(), 20)
    finally:
        if second.returncode is None:
            second.kill()
    assert second.returncode == 1
    assert str(process[1]).encode() in said


async def test_who_sends_a_large_body_to_a_refused_path_reads_why(
    process: tuple[asyncio.subprocess.Process, int, int],
) -> None:
    _, port, _ = process
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        for _ in range(5):
            refused = await client.put("/v1/nothing", content=bytes(12 * 1024 * 1024))
            assert (refused.status_code, refused.json()["reason"]) == (404, "NO_SUCH_PATH")


async def test_who_asks_before_sending_a_body_is_refused_without_it(
    process: tuple[asyncio.subprocess.Process, int, int],
) -> None:
    headers = b"Host: x\r\nContent-Length: 12582912\r\nExpect: 100-continue\r\n\r\n"
    assert b" 404 " in await raw(process[1], b"PUT /v1/nothing HTTP/1.1\r\n" + headers)
