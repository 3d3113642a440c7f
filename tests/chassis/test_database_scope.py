"""Row level security: a transaction sees the rows of its scope, and a forgotten WHERE nothing else."""

from __future__ import annotations

from uuid import UUID

import pytest
from psycopg import errors as pg

from chassis.clock import Clock
from chassis.database import Database, Scope, Snapshot
from chassis.testing.databases import ServiceDatabase

NEW = Clock().new_id


async def add_note(
    db: Database, tenant: UUID, note: UUID, body: str = "", scope: Scope | None = None
) -> None:
    async with db.transaction(scope or Scope.of(tenant)) as tx:
        driver = await tx.driver()
        await driver.execute(
            "INSERT INTO wrtn_notes (tenant_id, id, body) VALUES (%s, %s, %s)", (tenant, note, body)
        )


async def notes(tx: Snapshot) -> set[UUID]:
    driver = await tx.driver()
    return {row[0] for row in await (await driver.execute("SELECT id FROM wrtn_notes")).fetchall()}


async def test_a_transaction_sees_the_rows_of_its_own_tenants_alone(
    service_database: ServiceDatabase,
) -> None:
    db = service_database.app
    ours, theirs, third = NEW(), NEW(), NEW()
    for tenant in (ours, theirs, third):
        await add_note(db, tenant, tenant)
    async with db.snapshot(Scope.of(ours)) as tx:
        assert await notes(tx) == {ours}
    async with db.snapshot(Scope.of(ours, theirs)) as tx:
        assert await notes(tx) == {ours, theirs}


async def test_the_empty_scope_sees_nothing(service_database: ServiceDatabase) -> None:
    db = service_database.app
    await add_note(db, NEW(), NEW())
    async with db.snapshot(Scope()) as tx:
        assert await notes(tx) == set()


async def test_a_row_of_another_tenant_cannot_be_written(service_database: ServiceDatabase) -> None:
    with pytest.raises(pg.InsufficientPrivilege):
        await add_note(service_database.app, NEW(), NEW(), scope=Scope.of(NEW()))
