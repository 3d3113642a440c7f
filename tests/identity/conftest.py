"""The service under test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from chassis.embedded.nats import Nats
from chassis.embedded.postgres import Postgres
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory
from tests.identity.make import Identity, MovableClock, key_file, serving, settings
from tests.identity.smtp_server import Mailbox, smtp_server


@pytest.fixture
def clock() -> MovableClock:
    """A clock that a test may set ahead."""
    return MovableClock()


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
) -> AsyncIterator[Identity]:
    """Identity over a fresh database."""
    made = await database("identity")
    chosen = settings(made, nats, mailbox, callers, tmp_path)
    async with serving(chosen, made, mailbox, callers, postgres.url(made.name), clock) as served:
        yield served


@pytest.fixture
def keyring_file(tmp_path: Path) -> Path:
    """A file with a key-encryption key."""
    return key_file(tmp_path)
