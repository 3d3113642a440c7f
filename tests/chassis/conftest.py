"""The service that the tests of the chassis play: its database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from chassis.embedded.nats import Nats
from chassis.testing.databases import DatabaseFactory, ServiceDatabase
from tests.chassis.eventing import World, running

VERSIONS = Path(__file__).with_name("migrations")


@pytest_asyncio.fixture
async def service_database(database: DatabaseFactory) -> ServiceDatabase:
    """A fresh database with the chassis' tables, wrtn_enterprises, wrtn_notes and wrtn_records."""
    return await database("sample", versions=VERSIONS)


@pytest_asyncio.fixture
async def world(service_database: ServiceDatabase, nats: Nats) -> AsyncIterator[World]:
    """A database, a broker and what stands between them, for the tests of events."""
    async with running(service_database, nats) as made:
        yield made
