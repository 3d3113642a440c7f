"""The service under test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from argon2 import PasswordHasher

from chassis.embedded.nats import Nats
from chassis.embedded.postgres import Postgres
from chassis.testing.brokers import emptied
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory, Templates, databases
from tests.identity import data, federating
from tests.identity.service import CHEAP, Identity, MovableClock, key_file, serving, settings
from tests.identity.smtp_server import Mailbox, smtp_server


@pytest.fixture
def clock() -> MovableClock:
    """A clock that a test may set ahead."""
    return MovableClock()


@pytest.fixture
def hasher() -> PasswordHasher:
    """How passwords are hashed; a test of the cost itself overrides it."""
    return CHEAP


@pytest_asyncio.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    """An SMTP server of this test."""
    async with smtp_server(Mailbox()) as made:
        yield made


@pytest_asyncio.fixture
async def identity(
    database: DatabaseFactory,
    nats: Nats,
    mailbox: Mailbox,
    callers: Callers,
    clock: MovableClock,
    postgres: Postgres,
    tmp_path: Path,
    hasher: PasswordHasher,
) -> AsyncIterator[Identity]:
    """Identity over a fresh database."""
    made = await database("identity")
    chosen = settings(made, nats, mailbox, callers, tmp_path)
    async with serving(chosen, made, mailbox, callers, postgres.url(made.name), clock, hasher) as served:
        yield served


@pytest_asyncio.fixture
async def world(
    database: DatabaseFactory,
    nats: Nats,
    mailbox: Mailbox,
    callers: Callers,
    clock: MovableClock,
    postgres: Postgres,
    tmp_path: Path,
) -> AsyncIterator[federating.World]:
    """Identity over a fresh database, with an OpenID provider and enterprise beside it."""
    made = await database("identity")
    async with federating.federated(made, nats, mailbox, callers, clock, postgres, tmp_path) as served:
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def suite(
    templates: Templates,
    nats_server: Nats,
    peer_keys: Path,
    postgres: Postgres,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[data.World]:
    """All five services, shared by the tests of a module."""
    clock = MovableClock()
    async with (
        databases(templates, clock) as database,
        emptied(nats_server) as broker,
        smtp_server(Mailbox()) as mailbox,
    ):
        callers, folder = Callers(clock, peer_keys), tmp_path_factory.mktemp("world")
        async with data.world(database, broker, mailbox, callers, postgres, clock, folder) as made:
            yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(
    templates: Templates,
    nats_server: Nats,
    peer_keys: Path,
    postgres: Postgres,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Identity]:
    """Identity for a module whose tests keep to members of their own, and count nothing else."""
    clock = MovableClock()
    async with (
        databases(templates, clock) as database,
        emptied(nats_server) as broker,
        smtp_server(Mailbox()) as mailbox,
    ):
        callers, folder = Callers(clock, peer_keys), tmp_path_factory.mktemp("shared")
        made = await database("identity")
        chosen = settings(made, broker, mailbox, callers, folder)
        async with serving(chosen, made, mailbox, callers, postgres.url(made.name), clock) as served:
            yield served


@pytest.fixture
def keyring_file(tmp_path: Path) -> Path:
    """A file with a key-encryption key."""
    return key_file(tmp_path)
