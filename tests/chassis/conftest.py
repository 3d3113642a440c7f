"""The service that the tests of the chassis play: its database."""

from __future__ import annotations

from pathlib import Path

import pytest_asyncio

from chassis.testing.databases import DatabaseFactory, ServiceDatabase

VERSIONS = Path(__file__).with_name("migrations")


@pytest_asyncio.fixture
async def service_database(database: DatabaseFactory) -> ServiceDatabase:
    """A fresh database with the chassis' tables, wrtn_enterprises, wrtn_notes and wrtn_records."""
    return await database("sample", versions=VERSIONS)
