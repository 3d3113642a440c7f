"""Migrations: replicas that start together take turns, and readiness knows whether they have run."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chassis.clock import Clock
from chassis.database import Database
from chassis.database.migrate import is_current, migrate, script
from chassis.database.roles import connect, create_database, urls
from chassis.embedded.postgres import Postgres
from chassis.testing.databases import PASSWORDS, ServiceDatabase
from tests.chassis.conftest import VERSIONS

SECOND = """
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("CREATE TABLE wrtn_more (id uuid)")
    op.execute("SELECT pg_sleep(0.05)")
"""


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """A folder with one version more than the database has."""
    for file in VERSIONS.glob("*.py"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "0002_more.py").write_text(SECOND)
    return tmp_path


async def test_replicas_that_migrate_together_take_turns(
    service_database: ServiceDatabase, newer: Path
) -> None:
    owner = service_database.urls.owner
    await asyncio.gather(*[asyncio.to_thread(migrate, owner, "sample", versions=newer) for _ in range(3)])
    with connect(owner) as connection:
        assert connection.execute("SELECT version_num FROM wrtn_migrations").fetchall() == [("0002",)]


async def test_a_database_is_current_at_our_version_and_past_it_only(
    service_database: ServiceDatabase, newer: Path
) -> None:
    ours, theirs = script("sample", VERSIONS), script("sample", newer)
    assert await is_current(service_database.app, ours)
    assert not await is_current(service_database.app, theirs)
    await asyncio.to_thread(migrate, service_database.urls.owner, "sample", versions=newer)
    assert await is_current(service_database.app, theirs)
    assert await is_current(service_database.app, ours)


async def test_a_failed_migration_leaves_nothing_behind(
    service_database: ServiceDatabase, newer: Path
) -> None:
    (newer / "0002_more.py").write_text(SECOND.replace("SELECT pg_sleep(0.05)", "SELECT 1/0"))
    owner = service_database.urls.owner
    with pytest.raises(Exception, match="division by zero"):
        await asyncio.to_thread(migrate, owner, "sample", versions=newer)
    with connect(owner) as connection:
        assert connection.execute("SELECT to_regclass('wrtn_more')").fetchone() == (None,)
        assert connection.execute("SELECT version_num FROM wrtn_migrations").fetchall() == [("0001",)]


async def test_migrating_as_another_role_than_the_owner_is_refused(
    service_database: ServiceDatabase, postgres: Postgres
) -> None:
    with connect(postgres.url()) as admin:
        create_database(admin, "sample", "wrtn_sample_empty")
        try:
            with pytest.raises(RuntimeError, match="_owner"):
                await asyncio.to_thread(
                    migrate, postgres.url("wrtn_sample_empty"), "sample", versions=VERSIONS
                )
            empty = urls(postgres.url(), "sample", PASSWORDS, "wrtn_sample_empty")
            assert await _not_migrated(empty.app)
        finally:
            admin.execute("DROP DATABASE wrtn_sample_empty WITH (FORCE)")


async def _not_migrated(url: str) -> bool:
    database = Database(url, clock=Clock())
    try:
        return not await is_current(database, script("sample", VERSIONS))
    finally:
        await database.close()
