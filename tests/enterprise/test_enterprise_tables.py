"""Every table is guarded, and is what the models say."""

from __future__ import annotations

from chassis.testing.databases import DatabaseFactory
from chassis.testing.tables import assert_models_match_migrations, assert_tables_guarded
from services.enterprise.models import Base


async def test_every_table_is_under_row_level_security_or_declared_global(database: DatabaseFactory) -> None:
    assert_tables_guarded(await database("enterprise"))


async def test_the_models_are_what_the_migrations_make(database: DatabaseFactory) -> None:
    assert_models_match_migrations(await database("enterprise"), Base.metadata)
