"""Every table is guarded, and the models say what the migrations made."""

from __future__ import annotations

from chassis.testing.databases import DatabaseFactory
from chassis.testing.tables import assert_models_match_migrations, assert_tables_guarded
from services.identity import subjects
from services.identity.models import Base


async def test_every_table_is_guarded(database: DatabaseFactory) -> None:
    assert_tables_guarded(await database("identity"))


async def test_models_and_migrations_agree(database: DatabaseFactory) -> None:
    assert_models_match_migrations(await database("identity"), Base.metadata)


def test_of_every_table_with_a_member_it_is_decided_what_an_erasure_does() -> None:
    decided = {table.__tablename__ for table in subjects.DELETED} | {
        "wrtn_logins",
        "wrtn_suspensions",
        "wrtn_staff",
        "wrtn_staff_appointments",
        "wrtn_break_glasses",
        "wrtn_erasure_certificates",
    }
    found = {name for name, table in Base.metadata.tables.items() if "member_id" in table.columns}
    assert found - decided == set()
