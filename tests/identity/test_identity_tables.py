"""Every table is guarded, and the models say what the migrations made."""

from __future__ import annotations

from chassis.testing.databases import DatabaseFactory
from chassis.testing.tables import assert_models_match_migrations, assert_tables_guarded
from services.identity.models import Base


async def test_every_table_is_guarded(database: DatabaseFactory) -> None:
    assert_tables_guarded(await database("identity"))


async def test_models_and_migrations_agree(database: DatabaseFactory) -> None:
    assert_models_match_migrations(await database("identity"), Base.metadata)
