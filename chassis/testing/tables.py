"""Assertions on a migrated database: every table is guarded, and the models are what the migrations made."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, create_engine

from chassis.database.migrate import VERSION_TABLE
from chassis.database.roles import connect
from chassis.database.schema import CHASSIS_TABLES
from chassis.testing.databases import ServiceDatabase

# Partitions are left out: the roles reach them through their parent alone, which is not.
_UNGUARDED = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'm', 'f') AND NOT relispartition
  AND NOT (
    relrowsecurity AND relforcerowsecurity AND EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid)
  )
  AND coalesce(obj_description(oid, 'pg_class'), '') NOT LIKE 'global:%'
ORDER BY relname
"""


def assert_tables_guarded(database: ServiceDatabase) -> None:
    """Fails if a table is neither under row level security (FORCED, with a policy) nor declared global."""
    with connect(database.urls.owner) as owner:
        found = {row[0] for row in owner.execute(_UNGUARDED)} - {VERSION_TABLE}
    assert not found, f"neither tenant_table, member_table nor global_table: {sorted(found)}"  # noqa: S101


def assert_models_match_migrations(database: ServiceDatabase, metadata: MetaData) -> None:
    """Fails with what would have to be migrated for the tables to be as the models say."""
    engine = create_engine(database.urls.owner)
    chassis = {*CHASSIS_TABLES, VERSION_TABLE}
    try:
        with engine.connect() as connection:
            options = {
                "include_name": lambda name, kind, _: kind != "table" or name not in chassis,
                "version_table": VERSION_TABLE,
            }
            context = MigrationContext.configure(connection, opts=options)
            # The comment of a global table is its guard, not the models' business.
            found = [
                each for each in compare_metadata(context, metadata) if each[0] != "remove_table_comment"
            ]
    finally:
        engine.dispose()
    assert not found, f"models and migrations differ: {found}"  # noqa: S101
