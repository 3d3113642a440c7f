"""NATS for tests: one server a run (one a worker of pytest-xdist), emptied after each test."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import nats as nats_client
import pytest
import pytest_asyncio

from chassis.embedded.nats import Nats
from chassis.testing.folders import scratch


@pytest.fixture(scope="session")
def nats_server() -> Iterator[Nats]:
    """A NATS server with JetStream on a free port; `nats` hands it out clean."""
    with serving() as server:
        yield server


@pytest.fixture(scope="session")
def shared_nats() -> Iterator[Nats]:
    """Another one, for worlds that several tests share: `nats` takes nothing away from them."""
    with serving() as server:
        yield server


@contextmanager
def serving() -> Iterator[Nats]:
    """Serves NATS with JetStream on a free port."""
    folder = scratch("wrtn-nats-")
    server = Nats(folder, durable=False)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest_asyncio.fixture
async def nats(nats_server: Nats) -> AsyncIterator[Nats]:
    """The run's NATS without any stream. A test may stop, kill, wipe and start it: it is up again after."""
    async with emptied(nats_server) as server:
        yield server


@asynccontextmanager
async def emptied(server: Nats) -> AsyncIterator[Nats]:
    """Has the server run, and deletes all streams at the end."""
    server.start()
    try:
        yield server
    finally:
        server.start()
        connection = await nats_client.connect(server.url)
        stream = connection.jetstream()
        for each in await stream.streams_info():
            await stream.delete_stream(each.config.name or "")
        await connection.close()
