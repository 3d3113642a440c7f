"""Transactions: one commit at the end, nothing left behind on the connection, whatever happens inside."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from psycopg import AsyncCursor
from psycopg import errors as pg
from sqlalchemy import String, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from chassis.call import Call, enter
from chassis.clock import Clock
from chassis.database import Database, Scope, Snapshot, Transaction
from chassis.database.failures import DatabaseTimeout, PoolExhausted, TransactionConflict
from chassis.database.transactions import Driver, SwallowedFailure
from chassis.embedded.postgres import Postgres
from chassis.testing.databases import DatabaseFactory, ServiceDatabase
from tests.chassis.conftest import VERSIONS

NEW = Clock().new_id
INSERT = "INSERT INTO wrtn_notes (tenant_id, id, body) VALUES (%s, %s, %s)"


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "wrtn_notes"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    body: Mapped[str] = mapped_column(String)


async def add(tx: Transaction, tenant: UUID, body: str = "") -> None:
    driver = await tx.driver()
    await driver.execute(INSERT, (tenant, NEW(), body))


async def value(tx: Snapshot, query: str) -> object:
    driver = await tx.driver()
    row = await (await driver.execute(query)).fetchone()
    return row[0] if row else None


async def count(db: Database, tenant: UUID) -> object:
    async with db.snapshot(Scope.of(tenant)) as tx:
        return await value(tx, "SELECT count(*) FROM wrtn_notes")


@pytest.fixture
async def db(service_database: ServiceDatabase) -> Database:
    return service_database.app


@pytest.fixture
async def single(database: DatabaseFactory) -> Database:
    """A pool of one connection, so that the next transaction gets what the last one left."""
    return (await database("sample", versions=VERSIONS, pool_size=1)).app


async def test_the_session_and_the_driver_share_one_transaction(db: Database) -> None:
    tenant = NEW()
    async with db.transaction(Scope.of(tenant)) as tx:
        tx.session.add(Note(tenant_id=tenant, id=NEW(), body="by session"))
        assert await value(tx, "SELECT body FROM wrtn_notes") == "by session"
        await add(tx, tenant, "by driver")
        bodies = set(await tx.session.scalars(select(Note.body)))
    assert bodies == {"by session", "by driver"}
    assert await count(db, tenant) == 2


async def test_loaded_objects_can_be_read_after_the_commit(db: Database) -> None:
    tenant = NEW()
    async with db.transaction(Scope.of(tenant)) as tx:
        note = Note(tenant_id=tenant, id=NEW(), body="kept")
        tx.session.add(note)
    assert note.body == "kept"


async def test_an_exception_rolls_everything_back(db: Database) -> None:
    tenant = NEW()

    async def work() -> None:
        async with db.transaction(Scope.of(tenant)) as tx:
            await add(tx, tenant)
            raise KeyError

    with pytest.raises(KeyError):
        await work()
    assert await count(db, tenant) == 0


async def test_a_snapshot_cannot_write(db: Database) -> None:
    tenant = NEW()
    with pytest.raises(pg.ReadOnlySqlTransaction):
        async with db.snapshot(Scope.of(tenant)) as tx:
            await (await tx.driver()).execute(INSERT, (tenant, NEW(), ""))


async def test_a_snapshot_reads_one_state_throughout(db: Database) -> None:
    tenant = NEW()
    async with db.snapshot(Scope.of(tenant)) as tx:
        assert await value(tx, "SELECT count(*) FROM wrtn_notes") == 0
        async with db.transaction(Scope.of(tenant)) as other:
            await add(other, tenant)
        assert await value(tx, "SELECT count(*) FROM wrtn_notes") == 0


async def test_first_statements_run_in_the_transaction_that_they_open(single: Database) -> None:
    tenant, other = NEW(), NEW()
    for each in (tenant, other):
        async with single.transaction(Scope.of(each)) as tx:
            await add(tx, each, "mine")
    found: list[AsyncCursor[tuple[Any, ...]]] = []

    async def seen(driver: Driver) -> None:
        found.append(await driver.execute(b"SELECT tenant_id FROM wrtn_notes"))
        found.append(await driver.execute(b"DELETE FROM wrtn_notes RETURNING tenant_id"))

    async def use() -> None:
        async with single.transaction(Scope.of(tenant), first=seen) as tx:
            assert [await each.fetchall() for each in found] == [[(tenant,)], [(tenant,)]]
            assert await value(tx, "SELECT count(*) FROM wrtn_notes") == 0
            raise LookupError

    with pytest.raises(LookupError):
        await use()
    assert await count(single, tenant) == 1, "they are rolled back with the rest"


async def test_a_first_statement_that_fails_opens_nothing_and_harms_no_other(single: Database) -> None:
    async def wrong(driver: Driver) -> None:
        await driver.execute(b"SELECT 1 / 0")

    with pytest.raises(pg.DivisionByZero):
        async with single.transaction(Scope.of(NEW()), first=wrong):
            pytest.fail("it was opened")
    assert await count(single, NEW()) == 0
    assert single.in_use == 0


async def test_a_swallowed_failure_is_not_taken_for_a_commit(db: Database) -> None:
    tenant = NEW()

    async def work() -> None:
        async with db.transaction(Scope.of(tenant)) as tx:
            await add(tx, tenant)
            with suppress(pg.DivisionByZero):
                await (await tx.driver()).execute("SELECT 1/0")

    with pytest.raises(SwallowedFailure):
        await work()


async def test_callbacks_run_after_the_commit_and_only_then(db: Database) -> None:
    tenant, called = NEW(), []
    async with db.transaction(Scope.of(tenant)) as tx:
        tx.after_commit(lambda: called.append("committed"))
        assert not called
    with suppress(KeyError):
        async with db.transaction(Scope.of(tenant)) as tx:
            tx.after_commit(lambda: called.append("rolled back"))
            raise KeyError
    assert called == ["committed"]


async def test_no_setting_stays_on_a_reused_connection(single: Database) -> None:
    tenant = NEW()
    async with single.transaction(Scope.of(tenant, member_id=tenant)) as tx:
        await add(tx, tenant)
        backend = await value(tx, "SELECT pg_backend_pid()")
    pooled = await single._pool.take()
    row = await (
        await pooled.driver.execute(
            "SELECT pg_backend_pid(), (SELECT count(*) FROM wrtn_notes), "
            "current_setting('wrtn.tenants', true), current_setting('wrtn.member', true)"
        )
    ).fetchone()
    await single._pool.give_back(pooled)
    assert row == (backend, 0, "", "")


async def test_a_connection_given_back_inside_a_transaction_is_not_used_again(single: Database) -> None:
    pooled = await single._pool.take()
    backend = pooled.driver.info.backend_pid
    await pooled.driver.execute("BEGIN; SET wrtn.tenants = '{}'", prepare=False)
    await single._pool.give_back(pooled)
    async with single.snapshot(Scope()) as tx:
        assert await value(tx, "SELECT pg_backend_pid()") != backend


async def sleep_by_driver(tx: Transaction) -> None:
    await (await tx.driver()).execute("SELECT pg_sleep(30)")


async def sleep_by_session(tx: Transaction) -> None:
    await tx.session.execute(select(func.pg_sleep(30)))


async def wait_until_asleep(postgres: Postgres) -> None:
    """Waits until the server executes the sleep: a cancel that comes before it reads the query is lost."""
    admin = Database(postgres.url(), clock=Clock())
    async with asyncio.timeout(5):
        asleep = False
        while not asleep:
            async with admin.snapshot(Scope()) as tx:
                query = "SELECT exists (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep')"
                asleep = bool(await value(tx, query))
    await admin.close()


@pytest.mark.parametrize("sleep", [sleep_by_driver, sleep_by_session])
async def test_cancelled_in_the_middle_leaves_a_clean_connection(
    postgres: Postgres, single: Database, sleep: Callable[[Transaction], Awaitable[None]]
) -> None:
    tenant = NEW()

    async def work() -> None:
        async with single.transaction(Scope.of(tenant)) as tx:
            await add(tx, tenant)
            await sleep(tx)

    task = asyncio.create_task(work())
    await wait_until_asleep(postgres)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert single.in_use == 0
    async with single.snapshot(Scope()) as tx:
        assert await value(tx, "SELECT count(*) FROM wrtn_notes") == 0
    assert await count(single, tenant) == 0


async def test_cancelled_anywhere_the_pool_comes_back_to_rest(service_database: ServiceDatabase) -> None:
    db, tenant = service_database.app, NEW()

    async def work() -> None:
        async with db.transaction(Scope.of(tenant)) as tx:
            await add(tx, tenant)
            await (await tx.driver()).execute("SELECT pg_sleep(0.002)")

    for delay in range(150):
        task = asyncio.create_task(work())
        await asyncio.wait([task], timeout=delay / 25_000)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert db.in_use == 0
    async with service_database.worker.snapshot(Scope()) as tx:
        busy = await value(
            tx,
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND state <> 'idle' AND pid <> pg_backend_pid()",
        )
    assert busy == 0


async def test_a_full_pool_refuses_and_recovers(service_database: ServiceDatabase) -> None:
    db = Database(service_database.urls.app, pool_size=2, pool_timeout=0.05, clock=Clock())
    async with db.snapshot(Scope()), db.snapshot(Scope()):
        with pytest.raises(PoolExhausted) as refused:
            async with db.snapshot(Scope()):
                pass
        assert refused.value.retry_after
    async with db.snapshot(Scope()), db.snapshot(Scope()):
        assert db.in_use == 2
    await db.close()


async def test_one_that_waits_gets_the_next_free_connection(single: Database) -> None:
    async with single.snapshot(Scope()):
        waiting = asyncio.create_task(count(single, NEW()))
        await asyncio.wait([waiting], timeout=0.02)
        assert not waiting.done()
    assert await waiting == 0


async def test_a_statement_is_stopped_at_the_time_limit(db: Database) -> None:
    with pytest.raises(DatabaseTimeout):
        async with db.snapshot(Scope(), time_limit=0.05) as tx:
            await value(tx, "SELECT pg_sleep(30)")


async def test_a_statement_is_stopped_at_the_deadline_of_the_call(db: Database) -> None:
    loop = asyncio.get_running_loop()
    enter(Call("/test", deadline=loop.time() + 0.1))
    with pytest.raises(DatabaseTimeout):
        async with db.snapshot(Scope()) as tx:
            await value(tx, "SELECT pg_sleep(30)")


async def test_a_lock_that_another_transaction_holds_is_a_conflict(db: Database) -> None:
    tenant = NEW()
    async with db.transaction(Scope.of(tenant)) as tx:
        await add(tx, tenant)

    async def lock() -> None:
        async with db.transaction(Scope.of(tenant)) as tx:
            await (await tx.driver()).execute("SELECT 1 FROM wrtn_notes FOR UPDATE NOWAIT")
            await asyncio.wait_for(both.wait(), 5)

    both = asyncio.Barrier(2)
    holder = asyncio.create_task(lock())
    while both.n_waiting == 0:
        await asyncio.wait([holder], timeout=0.01)
    with pytest.raises(TransactionConflict):
        await lock()
    await both.wait()
    await holder


async def test_a_read_sees_its_own_tenants_alone_and_leaves_nothing_on_the_connection(
    single: Database,
) -> None:
    one, other = NEW(), NEW()
    for tenant in (one, other):
        async with single.transaction(Scope.of(tenant)) as tx:
            await add(tx, tenant, "theirs")
    every = "SELECT tenant_id FROM wrtn_notes WHERE body = %(body)s"
    for _ in range(3):
        assert await single.read(Scope.of(one), every, {"body": "theirs"}) == [(one,)]
        assert await single.read(Scope.of(other), every, {"body": "theirs"}) == [(other,)]
    assert await single.read(Scope(), every, {"body": "theirs"}) == []
    async with single.snapshot(Scope()) as tx:
        assert await value(tx, "SHOW plan_cache_mode") == "auto"
        assert await value(tx, "SHOW enable_seqscan") == "on"
    assert single.in_use == 0


async def test_a_read_cannot_write_and_a_failed_one_harms_no_other(single: Database) -> None:
    tenant = NEW()
    insert = "INSERT INTO wrtn_notes (tenant_id, id, body) VALUES (%(tenant)s, %(id)s, '') RETURNING id"
    with pytest.raises(pg.ReadOnlySqlTransaction):
        await single.read(Scope.of(tenant), insert, {"tenant": tenant, "id": NEW()})
    assert await count(single, tenant) == 0
    assert await single.read(Scope.of(tenant), "SELECT %(n)s::int", {"n": 3}) == [(3,)]


async def test_a_read_is_stopped_at_the_deadline_of_the_call(single: Database) -> None:
    assert await single.read(Scope(), "SELECT 1", {}) == [(1,)]
    enter(Call("/test", deadline=asyncio.get_running_loop().time() + 0.1))
    with pytest.raises(DatabaseTimeout):
        await single.read(Scope(), "SELECT 1 FROM pg_sleep(5)", {})
    enter(Call("/test"))
    assert await single.read(Scope(), "SELECT 1", {}) == [(1,)]


async def test_a_read_that_is_cancelled_leaves_a_clean_pool(single: Database) -> None:
    asking = asyncio.create_task(single.read(Scope(), "SELECT 1 FROM pg_sleep(5)", {}))
    await asyncio.sleep(0.05)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert single.in_use == 0
    assert await single.read(Scope(), "SELECT 1", {}) == [(1,)]
