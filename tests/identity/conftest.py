"""The services under test: one for all tests of a module, or one for a single test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from argon2 import PasswordHasher

from chassis.embedded.nats import Nats
from chassis.embedded.postgres import Postgres
from chassis.testing.databases import Templates
from chassis.testing.worlds import run_beside
from tests.identity import data, federating
from tests.identity.ground import Servers, ground, served
from tests.identity.service import CHEAP, Identity, MovableClock, key_file, serving
from tests.identity.smtp_server import Mailbox, smtp_server


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(name: str, obj: object) -> None:
    """Runs the tests beside the services that they ask for."""
    run_beside(("identity", "alone", "world", "world_alone", "suite"), name, obj)


@pytest.fixture(scope="session")
def servers(templates: Templates, postgres: Postgres, shared_nats: Nats, peer_keys: Path) -> Servers:
    """What the worlds of modules stand on."""
    return Servers(templates, postgres, shared_nats, peer_keys)


@pytest.fixture(scope="session")
def servers_of_one(servers: Servers, nats_server: Nats) -> Servers:
    """What the worlds of single tests stand on."""
    return replace(servers, nats=nats_server)


@pytest.fixture(scope="module")
def clock() -> MovableClock:
    """The clock of a module. Tests move it on and never back, and count on what passes in them alone."""
    return MovableClock()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def identity(
    servers: Servers, clock: MovableClock, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Identity]:
    """Identity for all tests of a module: each keeps to members of its own, and counts nothing else."""
    async with ground(servers, clock, tmp_path_factory.mktemp("identity")) as on, served(on) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def replica(identity: Identity, clock: MovableClock) -> AsyncIterator[Identity]:
    """A second server on the database of `identity`."""
    chosen = identity.running.runtime.settings
    made = serving(chosen, identity.database, identity.mailbox, identity.callers, identity.admin_url, clock)
    async with made as other:
        yield other


@pytest.fixture
def hasher() -> PasswordHasher:
    """How passwords are hashed where a test is `alone`; a test of the cost itself overrides it."""
    return CHEAP


@pytest_asyncio.fixture(loop_scope="module")
async def alone(
    servers_of_one: Servers, clock: MovableClock, tmp_path: Path, hasher: PasswordHasher
) -> AsyncIterator[Identity]:
    """Identity for one test, which counts whole tables or changes what others would notice."""
    async with ground(servers_of_one, clock, tmp_path) as on, served(on, hasher) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def federated(
    servers: Servers, clock: MovableClock, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[federating.World]:
    """As `identity`, with an OpenID provider and enterprise beside it."""
    async with (
        ground(servers, clock, tmp_path_factory.mktemp("world")) as on,
        federating.federated(on) as made,
    ):
        yield made


@pytest.fixture
def world(federated: federating.World) -> federating.World:
    """The same, where nothing is left of what another test has the provider say."""
    federated.renew()
    return federated


@pytest_asyncio.fixture(loop_scope="module")
async def world_alone(
    servers_of_one: Servers, clock: MovableClock, tmp_path: Path
) -> AsyncIterator[federating.World]:
    """As `alone`, with an OpenID provider and enterprise beside it."""
    async with ground(servers_of_one, clock, tmp_path) as on, federating.federated(on) as made:
        made.renew()
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def suite(
    servers: Servers, clock: MovableClock, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[data.World]:
    """All five services, for all tests of a module."""
    async with ground(servers, clock, tmp_path_factory.mktemp("suite")) as on, data.world(on) as made:
        yield made


@pytest_asyncio.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    """An SMTP server of this test."""
    async with smtp_server(Mailbox()) as made:
        yield made


@pytest.fixture
def keyring_file(tmp_path: Path) -> Path:
    """A file with a key-encryption key."""
    return key_file(tmp_path)
