"""The service under test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from chassis.embedded.nats import Nats
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory, ServiceDatabase
from tests.sessions.make import Sessions, serving


@pytest_asyncio.fixture
async def sessions_database(database: DatabaseFactory) -> ServiceDatabase:
    """A fresh database of sessions."""
    return await database("sessions")


@pytest_asyncio.fixture
async def sessions(
    sessions_database: ServiceDatabase, nats: Nats, callers: Callers, tmp_path: Path
) -> AsyncIterator[Sessions]:
    """Sessions over a fresh database."""
    async with serving(sessions_database, nats, callers, tmp_path) as served:
        yield served
