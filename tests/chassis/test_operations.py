"""Long work: done once, resumed if its process was killed, cancelled at a step, seen by whom it concerns."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import grpc
import psycopg
import pytest
import pytest_asyncio
from google.rpc.error_details_pb2 import ErrorInfo

from chassis.clock import Clock
from chassis.crypto import KeyMissing
from chassis.database import Scope
from chassis.database.roles import conninfo
from chassis.embedded.nats import Nats
from chassis.embedded.postgres import Postgres
from chassis.errors import FailedPrecondition, Unavailable
from chassis.operations import Kind, Operations, Wait, Work
from chassis.operations.rpc import OperationRpc
from chassis.operations.store import OperationRows, Row
from chassis.operations.work import LeaseLost
from chassis.service import Parts, Running, Runtime, start
from chassis.settings import ServiceSettings
from chassis.testing.callers import Callers, Known
from chassis.testing.databases import ServiceDatabase
from chassis.testing.processes import environment
from chassis.testing.serving import settings_of, with_callers
from chassis.testing.waiting import until
from tests.chassis.conftest import VERSIONS
from wrtn.access.v1.access_pb2 import Title
from wrtn.identity.v1.operations_pb2_grpc import OperationServiceStub, add_OperationServiceServicer_to_server
from wrtn.operations.v1 import operations_pb2
from wrtn.operations.v1.operations_pb2 import Operation

if TYPE_CHECKING:
    from wrtn.identity.v1.operations_pb2_grpc import OperationServiceAsyncStub

NEW = Clock().new_id
KIND = "sample.work"
NOTE = "INSERT INTO wrtn_notes (tenant_id, id, body) VALUES (%s, %s, %s)"


class Refused(FailedPrecondition):
    reason = "SAMPLE_REFUSED"


class MovableClock(Clock):
    def __init__(self) -> None:
        super().__init__()
        self.ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@dataclass
class World:
    """A service that works; `run` is what its work does."""

    running: Running[ServiceSettings]
    operations: Operations
    clock: MovableClock
    database: ServiceDatabase
    stub: OperationServiceAsyncStub

    async def begin(self, tenant: UUID, *, member_id: UUID | None = None, **more: Any) -> Row:
        async with self.running.runtime.db.transaction(Scope.of(tenant)) as tx:
            return await self.operations.begin(tx, KIND, tenant_id=tenant, member_id=member_id, **more)

    async def row(self, row: Row) -> Row:
        async with self.database.app.snapshot(Scope.of(row.tenant_id)) as tx:
            found = await OperationRows(tx).get(row.id)
        assert found is not None
        return found

    async def ended(self, row: Row) -> Row:
        async def done() -> bool:
            self.operations._awake.set()
            return (await self.row(row)).end_time is not None

        await until(done)
        return await self.row(row)


class Script:
    """What the work does in a test: by default it ends at once."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bytes]] = []
        self.errors: list[Exception] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.begun = asyncio.Event()
        self.cancellable = True

    async def run(self, work: Work) -> Mapping[str, str]:
        self.seen.append((work.step, work.request))
        self.begun.set()
        if self.errors:
            raise self.errors.pop(0)
        if not work.step:
            await work.save("one", done=1, total=2, message="one")
        await self.hold.wait()
        async with work.db.transaction(Scope.of(work.tenant_id)) as tx:
            await (await tx.driver()).execute(NOTE, (work.tenant_id, NEW(), "effect"))
            await work.advance(tx, "two", done=2)
        return {"count": "2"}


@pytest.fixture
def script() -> Script:
    return Script()


@pytest_asyncio.fixture
async def world(
    service_database: ServiceDatabase, nats: Nats, callers: Callers, clock: MovableClock, script: Script
) -> AsyncIterator[World]:
    settings = settings_of(ServiceSettings, "sample", service_database, nats.url, callers)
    made: list[Operations] = []

    def wire(runtime: Runtime[ServiceSettings]) -> Parts:
        kind = Kind(KIND, script.run, cancellable=script.cancellable, most_failures=2)
        operations = Operations(runtime, [kind], lease=timedelta(seconds=1))
        made.append(operations)
        rpc = OperationRpc(runtime, operations)
        return Parts(servicers=[(add_OperationServiceServicer_to_server, rpc)], background=[operations])

    wired = with_callers(wire, callers)
    async with start("sample", settings, wired, versions=VERSIONS, clock=clock) as running:
        channel = running.channel()
        yield World(running, made[0], clock, service_database, OperationServiceStub(channel))
        await channel.close()


async def effects(world: World, tenant: UUID) -> int:
    async with world.database.app.snapshot(Scope.of(tenant)) as tx:
        return len(await (await (await tx.driver()).execute("SELECT 1 FROM wrtn_notes")).fetchall())


async def test_work_begins_after_the_commit_and_ends_with_its_result(world: World, script: Script) -> None:
    tenant = NEW()
    row = await world.begin(tenant, request=b"what to do")
    assert (row.state, row.done) == ("PENDING", 0)
    ended = await world.ended(row)
    assert (ended.state, ended.done, ended.total, ended.result) == ("SUCCEEDED", 2, 2, {"count": "2"})
    assert script.seen == [("", b"what to do")]
    assert await effects(world, tenant) == 1


async def test_the_request_is_encrypted_and_gone_when_the_work_ends(world: World, script: Script) -> None:
    script.hold.clear()
    row = await world.begin(NEW(), request=b"what to do")
    assert b"what" not in row.request
    script.hold.set()
    assert (await world.ended(row)).request == b""


async def test_work_that_was_rolled_back_never_begins(world: World, script: Script) -> None:
    tenant = NEW()

    async def fail() -> None:
        async with world.running.runtime.db.transaction(Scope.of(tenant)) as tx:
            await world.operations.begin(tx, KIND, tenant_id=tenant)
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    await world.ended(await world.begin(NEW()))
    assert len(script.seen) == 1


async def test_of_one_key_a_single_operation_is_live(world: World, script: Script) -> None:
    script.hold.clear()
    tenant = NEW()
    first, *others = await asyncio.gather(*[world.begin(tenant, key="k") for _ in range(5)])
    assert {each.id for each in others} == {first.id}
    script.hold.set()
    await world.ended(first)
    assert (await world.begin(tenant, key="k")).id != first.id


async def test_work_waits_for_its_time(world: World, script: Script) -> None:
    row = await world.begin(NEW(), start_time=world.clock.now() + timedelta(days=7))
    await world.ended(await world.begin(NEW()))
    assert (await world.row(row)).state == "PENDING"
    world.clock.ahead = timedelta(days=7, seconds=1)
    assert (await world.ended(row)).state == "SUCCEEDED"


async def test_work_that_must_wait_is_called_again_with_its_step(world: World, script: Script) -> None:
    script.errors = [Wait("Waits for billing.", seconds=0.01)]
    row = await world.begin(NEW())
    assert (await world.ended(row)).state == "SUCCEEDED"
    assert len(script.seen) == 2


async def test_an_outage_is_waited_out_however_long(world: World, script: Script) -> None:
    script.errors = [Unavailable("down") for _ in range(6)]
    row = await world.begin(NEW())

    async def done() -> bool:
        world.clock.ahead += timedelta(seconds=10)
        world.operations._awake.set()
        return (await world.row(row)).end_time is not None

    await until(done)
    assert (await world.row(row)).state == "SUCCEEDED"


async def test_a_refusal_fails_the_work_with_its_reason(
    world: World, script: Script, callers: Callers
) -> None:
    script.errors = [Refused("Not now.")]
    member = callers.member()
    row = await world.begin(NEW(), member_id=member.member_id)
    await world.ended(row)
    answer = await get(world, row, member)
    info = ErrorInfo()
    assert answer.error.details[0].Unpack(info)
    assert (answer.state, answer.error.message, info.reason) == (
        Operation.STATE_FAILED,
        "Not now.",
        "SAMPLE_REFUSED",
    )


async def test_a_defect_is_tried_again_and_then_told_without_its_text(world: World, script: Script) -> None:
    script.errors = [KeyError("secret") for _ in range(3)]
    row = await world.begin(NEW())

    async def done() -> bool:
        world.clock.ahead += timedelta(seconds=10)
        world.operations._awake.set()
        return (await world.row(row)).end_time is not None

    await until(done)
    found = await world.row(row)
    assert (found.state, len(script.seen)) == ("FAILED", 2)
    assert found.error is not None
    assert b"secret" not in found.error


async def get(world: World, row: Row, known: Known) -> Operation:
    request = operations_pb2.GetOperationRequest(operation_id=str(row.id))
    return await world.stub.GetOperation(request, metadata=known.metadata)


async def cancel(world: World, row: Row, known: Known) -> Operation:
    request = operations_pb2.CancelOperationRequest(operation_id=str(row.id))
    return await world.stub.CancelOperation(request, metadata=known.metadata)


async def test_work_that_has_not_begun_is_cancelled_at_once(
    world: World, script: Script, callers: Callers
) -> None:
    member = callers.member()
    later = world.clock.now() + timedelta(days=1)
    row = await world.begin(NEW(), member_id=member.member_id, start_time=later)
    assert (await cancel(world, row, member)).state == Operation.STATE_CANCELLED
    assert (await cancel(world, row, member)).state == Operation.STATE_CANCELLED
    world.clock.ahead = timedelta(days=2)
    await world.ended(await world.begin(NEW()))
    assert len(script.seen) == 1


async def test_work_that_has_begun_is_cancelled_at_its_next_step_without_its_effect(
    world: World, script: Script, callers: Callers
) -> None:
    script.hold.clear()
    member, tenant = callers.member(), NEW()
    row = await world.begin(tenant, member_id=member.member_id)

    async def stepped() -> bool:
        return (await world.row(row)).step == "one"

    await until(stepped)
    answer = await cancel(world, row, member)
    assert (answer.state, answer.cancel_requested) == (Operation.STATE_RUNNING, True)
    script.hold.set()
    assert (await world.ended(row)).state == "CANCELLED"
    assert await effects(world, tenant) == 0


class TestUnstoppable:
    @pytest.fixture
    def script(self) -> Script:
        made = Script()
        made.cancellable = False
        return made

    async def test_work_that_cannot_be_stopped_says_so(
        self, world: World, script: Script, callers: Callers
    ) -> None:
        script.hold.clear()
        member = callers.member()
        row = await world.begin(NEW(), member_id=member.member_id)
        await script.begun.wait()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await cancel(world, row, member)
        assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        script.hold.set()
        assert (await world.ended(row)).state == "SUCCEEDED"


async def test_who_began_it_and_who_manages_the_enterprise_see_it_and_nobody_else(
    world: World, callers: Callers
) -> None:
    enterprise = NEW()
    starter = callers.employee(enterprise, Title.TITLE_MEMBER)
    manager = callers.employee(enterprise, Title.TITLE_MANAGER)
    row = await world.begin(enterprise, member_id=starter.member_id)
    await world.ended(row)
    for known in (starter, manager):
        assert (await get(world, row, known)).id == str(row.id)
        listed = await world.stub.ListOperations(
            operations_pb2.ListOperationsRequest(), metadata=known.metadata
        )
        assert [each.id for each in listed.operations] == [str(row.id)]
    others = (
        callers.employee(enterprise, Title.TITLE_MEMBER),
        callers.employee(NEW(), Title.TITLE_OWNER),
        callers.member(),
    )
    for known in others:
        for attempt in (get, cancel):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await attempt(world, row, known)
            assert refused.value.code() == grpc.StatusCode.NOT_FOUND
        listed = await world.stub.ListOperations(
            operations_pb2.ListOperationsRequest(), metadata=known.metadata
        )
        assert list(listed.operations) == []


async def test_a_list_is_paged_newest_first_and_by_kind(world: World, callers: Callers) -> None:
    member = callers.member()
    rows = [await world.begin(NEW(), member_id=member.member_id) for _ in range(3)]
    found: list[str] = []
    token = ""
    while True:
        request = operations_pb2.ListOperationsRequest(kind=KIND, page_size=2, page_token=token)
        page = await world.stub.ListOperations(request, metadata=member.metadata)
        found += [each.id for each in page.operations]
        token = page.next_page_token
        if not token:
            break
    assert found == [str(row.id) for row in reversed(rows)]
    other = operations_pb2.ListOperationsRequest(kind="other")
    assert not (await world.stub.ListOperations(other, metadata=member.metadata)).operations


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


async def test_begin_needs_the_tenant_in_its_scope(world: World) -> None:
    async with world.running.runtime.db.transaction(Scope.of(NEW())) as tx:
        with pytest.raises(KeyMissing):
            await world.operations.begin(tx, KIND, tenant_id=NEW(), request=b"x")


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
