"""The database goes away and comes back: calls fail at once, none hangs, and the next one is served."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chassis.clock import Clock
from chassis.database import Database, Scope
from chassis.database.failures import DatabaseUnavailable
from chassis.embedded.postgres import Postgres


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[Postgres]:
    """A server that the tests of this module may stop and kill."""
    folder = Path(tempfile.mkdtemp(prefix="wrtn-pg-"))
    server = Postgres(folder / "data", durable=False)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


async def answer(db: Database) -> object:
    async with db.snapshot(Scope()) as tx:
        row = await (await (await tx.driver()).execute("SELECT 42")).fetchone()
    return row[0] if row else None


async def answer_on(db: Database) -> None:
    """Asks until it fails: the processes of a killed server outlive it for a moment, and may answer in it."""
    while True:
        await answer(db)


async def fill(db: Database, size: int) -> None:
    """Opens every connection of the pool."""
    together = asyncio.Barrier(size)

    async def hold() -> None:
        async with db.snapshot(Scope()):
            await together.wait()

    await asyncio.gather(*[hold() for _ in range(size)])


async def test_after_a_restart_the_whole_pool_works_again(own_postgres: Postgres) -> None:
    db = Database(own_postgres.url(), pool_size=4, clock=Clock())
    await fill(db, 4)
    own_postgres.kill()
    with pytest.raises(DatabaseUnavailable):
        await answer_on(db)
    own_postgres.start()
    assert [await answer(db) for _ in range(5)] == [42] * 5
    await fill(db, 4)
    assert db.in_use == 0
    own_postgres.kill()
    own_postgres.start()
    assert await db.read(Scope(), "SELECT 42", {}) == [(42,)]
    await db.close()


async def test_a_transaction_that_loses_its_connection_is_unavailable(own_postgres: Postgres) -> None:
    db = Database(own_postgres.url(), clock=Clock())

    async def work() -> None:
        async with db.transaction(Scope()) as tx:
            own_postgres.kill()
            while True:  # as `answer_on`
                await (await tx.driver()).execute("SELECT 1")

    with pytest.raises(DatabaseUnavailable) as lost:
        await work()
    assert lost.value.retry_after
    own_postgres.start()
    assert await answer(db) == 42
    await db.close()


async def test_a_server_that_falls_silent_holds_nobody_longer_than_the_limit(own_postgres: Postgres) -> None:
    db = Database(own_postgres.url(), time_limit=0.1, clock=Clock())
    async with db.snapshot(Scope()) as tx:
        pid = (await tx.driver()).info.backend_pid

    os.kill(pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        assert await answer(db) == 42
        assert time.monotonic() - started < 5
    finally:
        os.kill(pid, signal.SIGCONT)
    await db.close()
