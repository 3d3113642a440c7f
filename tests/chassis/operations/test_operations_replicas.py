"""Long work over replicas: resumed if its process was killed, given back, and done by one alone."""

from __future__ import annotations

import asyncio
import json
import sys

import psycopg
import pytest

from chassis.database import Scope
from chassis.database.roles import conninfo
from chassis.embedded.nats import Nats
from chassis.embedded.postgres import Postgres
from chassis.operations import Kind, Operations
from chassis.operations.store import OperationRows, Row
from chassis.operations.work import LeaseLost
from chassis.service import Parts, Runtime, start
from chassis.settings import ServiceSettings
from chassis.testing.callers import Callers
from chassis.testing.clocks import MovableClock
from chassis.testing.databases import ServiceDatabase
from chassis.testing.processes import environment
from chassis.testing.serving import settings_of, with_callers
from chassis.testing.waiting import until
from tests.chassis.conftest import VERSIONS
from tests.chassis.operating import KIND, NEW, Script, World, effects


async def take_over(world: World, row: Row, postgres: Postgres) -> None:
    """Has another replica hold the lease."""
    async with await psycopg.AsyncConnection.connect(
        conninfo(postgres.url(world.database.name))
    ) as connection:
        await connection.execute(
            "UPDATE wrtn_operations SET lease_holder = 'other', lease_expire_time = now() + interval '1 h'"
            " WHERE id = %s",
            (row.id,),
        )


async def test_what_a_replica_does_after_it_lost_its_lease_does_not_count(
    world: World, script: Script, postgres: Postgres
) -> None:
    script.hold.clear()
    tenant = NEW()
    row = await world.begin(tenant)

    async def stepped() -> bool:
        return (await world.row(row)).step == "one"

    await until(stepped)
    await take_over(world, row, postgres)
    script.hold.set()
    await until(lambda: row.id not in world.operations._tasks)
    assert await effects(world, tenant) == 0
    assert (await world.row(row)).state == "RUNNING"
    assert issubclass(LeaseLost, Exception)


async def test_a_replica_that_stops_gives_its_work_back_at_once(
    world: World, script: Script, nats: Nats, callers: Callers
) -> None:
    script.hold.clear()
    row = await world.begin(NEW())
    await script.begun.wait()
    await world.operations.stop()
    async with world.database.app.snapshot(Scope.of(row.tenant_id)) as tx:
        query = "SELECT lease_holder FROM wrtn_operations"
        assert await (await (await tx.driver()).execute(query)).fetchall() == [(None,)]
    script.hold.set()
    await world.operations.start()
    assert (await world.ended(row)).state == "SUCCEEDED"


async def test_the_worker_role_reads_no_request_and_no_result(world: World) -> None:
    await world.ended(await world.begin(NEW()))
    for column in ("request", "result", "step", "member_id"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with world.database.worker.snapshot(Scope()) as tx:
                await (await tx.driver()).execute(f"SELECT {column} FROM wrtn_operations")


async def test_killed_work_is_resumed_by_another_replica_from_its_last_step(
    service_database: ServiceDatabase,
    nats: Nats,
    callers: Callers,
    clock: MovableClock,
    script: Script,
    postgres: Postgres,
) -> None:
    settings = settings_of(ServiceSettings, "sample", service_database, nats.url, callers)
    killed = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chassis.mortal_service"),
        env=environment(settings),
        stdout=asyncio.subprocess.PIPE,
    )
    tenant, made = NEW(), []

    def wire(runtime: Runtime[ServiceSettings]) -> Parts:
        made.append(Operations(runtime, [Kind(KIND, script.run)]))
        return Parts(background=made)

    try:
        await said(killed, "serving")
        async with start("sample", settings, with_callers(wire, callers), versions=VERSIONS) as running:
            await made[0].stop()
            async with running.runtime.db.transaction(Scope.of(tenant)) as tx:
                row = await made[0].begin(tx, KIND, tenant_id=tenant, request=b"kept")
            await said(killed, "half")
            killed.kill()
            await killed.wait()
            async with await psycopg.AsyncConnection.connect(
                conninfo(postgres.url(service_database.name)), autocommit=True
            ) as connection:
                await connection.execute("UPDATE wrtn_operations SET lease_expire_time = now()")
            await made[0].start()
            await script.begun.wait()
            assert script.seen == [("half", b"kept")]

            async def done() -> bool:
                async with service_database.app.snapshot(Scope.of(tenant)) as tx:
                    found = await OperationRows(tx).get(row.id)
                return found is not None and found.state == "SUCCEEDED"

            await until(done)
    finally:
        if killed.returncode is None:
            killed.kill()
            await killed.wait()


async def said(process: asyncio.subprocess.Process, event: str) -> None:
    """Waits for a line of the process's log."""
    assert process.stdout is not None
    async with asyncio.timeout(30):
        while line := await process.stdout.readline():
            if json.loads(line)["event"] == event:
                return
    raise AssertionError(f"it never said {event}")
