"""A service that does long work, and what the work does in a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from chassis.clock import Clock
from chassis.database import Scope
from chassis.operations import Kind, Operations, Work
from chassis.operations.rpc import OperationRpc
from chassis.operations.store import OperationRows, Row
from chassis.service import Parts, Running, Runtime, start
from chassis.settings import ServiceSettings
from chassis.testing.callers import Callers, Known
from chassis.testing.clocks import MovableClock
from chassis.testing.databases import ServiceDatabase
from chassis.testing.serving import with_callers
from chassis.testing.waiting import until
from tests.chassis.conftest import VERSIONS
from wrtn.identity.v1.operations_pb2_grpc import OperationServiceStub, add_OperationServiceServicer_to_server
from wrtn.operations.v1 import operations_pb2
from wrtn.operations.v1.operations_pb2 import Operation

if TYPE_CHECKING:
    from wrtn.identity.v1.operations_pb2_grpc import OperationServiceAsyncStub

NEW = Clock().new_id
KIND = "sample.work"
NOTE = "INSERT INTO wrtn_notes (tenant_id, id, body) VALUES (%s, %s, %s)"


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


@asynccontextmanager
async def working(
    settings: ServiceSettings,
    database: ServiceDatabase,
    callers: Callers,
    clock: MovableClock,
    script: Script,
) -> AsyncIterator[World]:
    """Serves it; the lease of its work is a second."""
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
        yield World(running, made[0], clock, database, OperationServiceStub(channel))
        await channel.close()


async def effects(world: World, tenant: UUID) -> int:
    """Counts what the work left."""
    async with world.database.app.snapshot(Scope.of(tenant)) as tx:
        return len(await (await (await tx.driver()).execute("SELECT 1 FROM wrtn_notes")).fetchall())


async def get(world: World, row: Row, known: Known) -> Operation:
    request = operations_pb2.GetOperationRequest(operation_id=str(row.id))
    return await world.stub.GetOperation(request, metadata=known.metadata)


async def cancel(world: World, row: Row, known: Known) -> Operation:
    request = operations_pb2.CancelOperationRequest(operation_id=str(row.id))
    return await world.stub.CancelOperation(request, metadata=known.metadata)
