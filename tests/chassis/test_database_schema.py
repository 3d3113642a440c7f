"""What the database itself refuses, and the assertions that find a table without a guard."""

from __future__ import annotations

from uuid import UUID

import pytest
from psycopg import errors as pg
from sqlalchemy import Column, MetaData, Table, Text, Uuid

from chassis.clock import Clock
from chassis.database import Database, Scope
from chassis.database.roles import connect, provision
from chassis.embedded.postgres import Postgres
from chassis.testing.databases import PASSWORDS, ServiceDatabase
from chassis.testing.tables import assert_models_match_migrations, assert_tables_guarded

NEW = Clock().new_id
RECORD = "INSERT INTO wrtn_records (tenant_id, id) VALUES (%s, %s)"
NOTE = "INSERT INTO wrtn_notes (tenant_id, id, body) VALUES (%s, %s, %s)"


async def execute(db: Database, scope: Scope, query: str, values: tuple[object, ...] = ()) -> list[object]:
    async with db.transaction(scope) as tx:
        cursor = await (await tx.driver()).execute(query, values)
        return [row[0] for row in await cursor.fetchall()] if cursor.description else []


async def add_enterprise(db: Database, tenant: UUID, owner: UUID) -> None:
    insert = "INSERT INTO wrtn_enterprises (tenant_id, owner_id) VALUES (%s, %s)"
    await execute(db, Scope.of(tenant), insert, (tenant, owner))


async def test_the_same_client_id_in_two_tenants_is_no_conflict(service_database: ServiceDatabase) -> None:
    db, ours, theirs, note = service_database.app, NEW(), NEW(), NEW()
    for tenant in (ours, theirs):
        await execute(db, Scope.of(tenant), NOTE, (tenant, note, str(tenant)))
    query = "SELECT body FROM wrtn_notes WHERE id = %s"
    assert await execute(db, Scope.of(ours), query, (note,)) == [str(ours)]


async def test_a_foreign_row_can_be_neither_changed_nor_deleted(service_database: ServiceDatabase) -> None:
    db, ours, theirs = service_database.app, NEW(), NEW()
    await execute(db, Scope.of(theirs), NOTE, (theirs, NEW(), "theirs"))
    await execute(db, Scope.of(ours), "UPDATE wrtn_notes SET body = 'ours'")
    await execute(db, Scope.of(ours), "DELETE FROM wrtn_notes")
    assert await execute(db, Scope.of(theirs), "SELECT body FROM wrtn_notes") == ["theirs"]


async def test_a_row_cannot_be_moved_into_another_tenant(service_database: ServiceDatabase) -> None:
    db, ours = service_database.app, NEW()
    await execute(db, Scope.of(ours), NOTE, (ours, NEW(), ""))
    with pytest.raises(pg.InsufficientPrivilege):
        await execute(db, Scope.of(ours), "UPDATE wrtn_notes SET tenant_id = %s", (NEW(),))


async def test_the_owner_role_is_under_the_policies_too(service_database: ServiceDatabase) -> None:
    tenant = NEW()
    await execute(service_database.app, Scope.of(tenant), NOTE, (tenant, NEW(), ""))
    with connect(service_database.urls.owner) as owner:
        assert owner.execute("SELECT count(*) FROM wrtn_notes").fetchone() == (0,)


async def test_members_see_what_names_them_in_any_tenant_and_cannot_change_it(
    service_database: ServiceDatabase,
) -> None:
    db, member, tenant = service_database.app, NEW(), NEW()
    await add_enterprise(db, tenant, member)
    await add_enterprise(db, NEW(), NEW())
    query = "SELECT tenant_id FROM wrtn_enterprises"
    assert await execute(db, Scope.of(member_id=member), query) == [tenant]
    await execute(db, Scope.of(member_id=member), "UPDATE wrtn_enterprises SET display_name = 'mine'")
    assert await execute(db, Scope.of(tenant), "SELECT display_name FROM wrtn_enterprises") == [None]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE wrtn_records SET id = id",
        "DELETE FROM wrtn_records",
        "TRUNCATE wrtn_records",
        "INSERT INTO wrtn_records TABLE wrtn_records ON CONFLICT (tenant_id, id) DO UPDATE SET id = NULL",
    ],
)
async def test_insert_only_tables_refuse_every_change(service_database: ServiceDatabase, change: str) -> None:
    tenant = NEW()
    scope = Scope.of(tenant)
    await execute(service_database.app, scope, RECORD, (tenant, NEW()))
    with pytest.raises(pg.InsufficientPrivilege):
        await execute(service_database.app, scope, change)
    owner = Database(service_database.urls.owner, clock=Clock())
    with pytest.raises(pg.RestrictViolation):
        await execute(owner, scope, change)
    await owner.close()


async def test_a_superuser_is_refused_as_well(service_database: ServiceDatabase, postgres: Postgres) -> None:
    with connect(postgres.url(service_database.name)) as admin:
        admin.execute("SET session_replication_role = replica")
        with pytest.raises(pg.RestrictViolation):
            admin.execute("DELETE FROM wrtn_records")


async def test_the_worker_lists_tenants_and_sees_nothing_else_of_them(
    service_database: ServiceDatabase,
) -> None:
    tenant = NEW()
    await add_enterprise(service_database.app, tenant, NEW())
    worker = service_database.worker
    assert await execute(worker, Scope(), "SELECT tenant_id FROM wrtn_enterprises") == [tenant]
    for query in (
        "SELECT display_name FROM wrtn_enterprises",
        "SELECT * FROM wrtn_notes",
        "SELECT * FROM wrtn_data_keys",
        "SELECT * FROM wrtn_idempotency_keys",
        "DELETE FROM wrtn_enterprises",
    ):
        with pytest.raises(pg.InsufficientPrivilege):
            await execute(worker, Scope.of(tenant), query)


@pytest.mark.parametrize("table", ["wrtn_outbox", "wrtn_leases", "wrtn_relay_streams"])
async def test_the_app_does_not_read_what_is_the_workers(
    service_database: ServiceDatabase, table: str
) -> None:
    with pytest.raises(pg.InsufficientPrivilege):
        await execute(service_database.app, Scope(), f"SELECT * FROM {table}")


async def test_no_role_of_a_service_enters_the_database_of_another(
    service_database: ServiceDatabase, postgres: Postgres
) -> None:
    other = provision(postgres.url(), "neighbour", PASSWORDS)
    trespassing = other.app.replace("/wrtn_neighbour?", f"/{service_database.name}?")
    with pytest.raises(Exception, match="permission denied for database"):
        connect(trespassing)


def test_provisioning_twice_changes_nothing_but_the_password(postgres: Postgres) -> None:
    first = provision(postgres.url(), "neighbour", PASSWORDS)
    assert provision(postgres.url(), "neighbour", PASSWORDS) == first


def test_a_role_that_goes_past_row_level_security_is_not_taken_over(postgres: Postgres) -> None:
    with connect(postgres.url()) as admin:
        admin.execute("CREATE ROLE wrtn_bad_app SUPERUSER")
    with pytest.raises(ValueError, match="wrtn_bad_app"):
        provision(postgres.url(), "bad", PASSWORDS)


async def test_a_table_without_a_guard_is_found(service_database: ServiceDatabase) -> None:
    assert_tables_guarded(service_database)
    with connect(service_database.urls.owner) as owner:
        owner.execute("CREATE TABLE wrtn_forgotten (tenant_id uuid)")
        owner.execute("ALTER TABLE wrtn_notes NO FORCE ROW LEVEL SECURITY")
    with pytest.raises(AssertionError, match=r"wrtn_forgotten.*wrtn_notes"):
        assert_tables_guarded(service_database)


async def test_models_that_differ_from_the_migrations_are_found(service_database: ServiceDatabase) -> None:
    metadata = MetaData()
    Table(
        "wrtn_enterprises",
        metadata,
        Column("tenant_id", Uuid(), primary_key=True),
        Column("owner_id", Uuid()),
    )
    tenant_key = (Column("tenant_id", Uuid(), primary_key=True), Column("id", Uuid(), primary_key=True))
    Table("wrtn_records", metadata, *tenant_key)
    note = (Column("tenant_id", Uuid(), primary_key=True), Column("id", Uuid(), primary_key=True))
    Table("wrtn_notes", metadata, *note, Column("body", Text(), nullable=False))
    with pytest.raises(AssertionError, match="display_name"):
        assert_models_match_migrations(service_database, metadata)
    metadata.tables["wrtn_enterprises"].append_column(Column("display_name", Text()))
    assert_models_match_migrations(service_database, metadata)
