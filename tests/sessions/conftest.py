"""The service under test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from chassis.clock import Clock
from chassis.embedded.nats import Nats
from chassis.embedded.postgres import Postgres
from chassis.testing.brokers import emptied
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory, ServiceDatabase, Templates, databases
from tests.sessions.make import Sessions, serving
from tests.sessions.together import Both, both_served


@pytest_asyncio.fixture
async def sessions_database(database: DatabaseFactory) -> ServiceDatabase:
    """A fresh database of sessions."""
    return await database("sessions")


@pytest_asyncio.fixture
async def alone(
    sessions_database: ServiceDatabase, nats: Nats, callers: Callers, tmp_path: Path
) -> AsyncIterator[Sessions]:
    """Sessions over a fresh database."""
    async with serving(sessions_database, nats, callers, tmp_path) as served:
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(
    templates: Templates, nats_server: Nats, peer_keys: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Sessions]:
    """Sessions for a module whose tests keep to tenants of their own, and count nothing else."""
    clock = Clock()
    async with databases(templates, clock) as database, emptied(nats_server) as broker:
        callers, folder = Callers(clock, peer_keys), tmp_path_factory.mktemp("shared")
        async with serving(await database("sessions"), broker, callers, folder) as served:
            yield served


@pytest.fixture
def sessions(request: pytest.FixtureRequest) -> Sessions:
    """Sessions over a fresh database, or those of the module if its tests run in one loop."""
    found: Sessions = request.getfixturevalue("shared" if in_one_loop(request) else "alone")
    # What a test before denied or opened to readers counts no more.
    for each in (found.callers.denied, found.callers.readable):
        each.clear()
    return found


@pytest_asyncio.fixture
async def both_alone(
    database: DatabaseFactory, nats: Nats, callers: Callers, postgres: Postgres, tmp_path: Path
) -> AsyncIterator[Both]:
    """Identity and sessions over fresh databases."""
    async with both_served(database, nats, callers, postgres, tmp_path) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both_shared(
    templates: Templates,
    nats_server: Nats,
    peer_keys: Path,
    postgres: Postgres,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Both]:
    """The same for a module whose tests keep to members of their own."""
    clock, folder = Clock(), tmp_path_factory.mktemp("both")
    callers = Callers(clock, peer_keys)
    async with (
        databases(templates, clock) as database,
        emptied(nats_server) as broker,
        both_served(database, broker, callers, postgres, folder) as made,
    ):
        yield made


@pytest.fixture
def both(request: pytest.FixtureRequest) -> Both:
    """Identity and sessions over fresh databases, or those of the module if its tests run in one loop."""
    found: Both = request.getfixturevalue("both_shared" if in_one_loop(request) else "both_alone")
    return found


def in_one_loop(request: pytest.FixtureRequest) -> bool:
    """Whether the tests of the module run in one loop, and so share what is served."""
    marker = request.node.get_closest_marker("asyncio")
    return marker is not None and marker.kwargs.get("loop_scope") == "module"
