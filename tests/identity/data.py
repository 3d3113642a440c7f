"""All five services with the members whose data they hold: one world for the tests of a module.

Each test makes its own members. The clock of the world only moves on.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import grpc
import pytest

from chassis.clock import Clock
from chassis.database import Scope
from chassis.service import Running
from chassis.settings import ServiceSettings
from chassis.testing.databases import ServiceDatabase
from chassis.testing.serving import starting
from chassis.testing.waiting import until
from services.analytics import main as analytics
from services.billing import main as billing
from services.billing.settings import BillingSettings
from services.enterprise import main as enterprise
from services.enterprise.settings import EnterpriseSettings
from services.identity import admin
from services.sessions import content
from services.sessions import main as sessions
from services.sessions.settings import SessionsSettings
from tests.identity.ground import Ground
from tests.identity.make import SignedIn, as_superuser, as_worker, member, reason, sign_in
from tests.identity.service import Identity, MovableClock
from wrtn.identity.v1 import erasures_pb2, exports_pb2
from wrtn.identity.v1.accounts_pb2 import OpenAccountRequest
from wrtn.identity.v1.erasures_pb2_grpc import ErasureServiceStub
from wrtn.identity.v1.exports_pb2_grpc import ExportServiceStub
from wrtn.identity.v1.operations_pb2_grpc import OperationServiceStub
from wrtn.operations.v1 import operations_pb2
from wrtn.operations.v1.operations_pb2 import Operation

if TYPE_CHECKING:
    from wrtn.identity.v1.erasures_pb2_grpc import ErasureServiceAsyncStub
    from wrtn.identity.v1.exports_pb2_grpc import ExportServiceAsyncStub
    from wrtn.identity.v1.operations_pb2_grpc import OperationServiceAsyncStub

NEW = Clock().new_id


@dataclass
class World:
    """All five services, of which identity is asked."""

    identity: Identity
    others: dict[str, Running[Any]]
    databases: dict[str, ServiceDatabase]
    clock: MovableClock
    blobs: Path
    exports: ExportServiceAsyncStub
    erasures: ErasureServiceAsyncStub
    operations: OperationServiceAsyncStub

    async def operation(self, operation_id: str, known: SignedIn) -> Operation:
        request = operations_pb2.GetOperationRequest(operation_id=operation_id)
        return await self.operations.GetOperation(request, metadata=known.metadata)

    async def state(self, operation_id: str) -> str:
        query = f"SELECT state FROM wrtn_operations WHERE id = '{operation_id}'"
        return str((await as_superuser(self.identity, query))[0][0])

    async def ended(self, operation_id: str) -> str:
        """Waits for the end. If the work itself waits for a later time, the clock is moved there."""
        query = (
            "SELECT state, CASE WHEN state = 'RUNNING' AND lease_holder IS NULL THEN due_time END"
            f" FROM wrtn_operations WHERE id = '{operation_id}'"
        )

        async def done() -> str:
            ((state, due),) = await as_worker(self.identity, query)
            if due is not None and due > self.clock.now():
                self.clock.ahead += due - self.clock.now()
            return "" if state in ("PENDING", "RUNNING") else str(state)

        return await until(done, 60)

    async def chat(self, tenant: UUID, account: UUID, member_id: UUID, title: str, body: str) -> None:
        """Puts a session with one history into sessions."""
        session, history = NEW(), NEW()
        runtime = self.others["sessions"].runtime
        async with runtime.db.transaction(Scope.of(tenant)) as tx:
            key = await runtime.keyring.key(tx, tenant)
            driver = await tx.driver()
            await driver.execute(
                "INSERT INTO wrtn_chat_sessions (tenant_id, id, account_id, opener_member_id, model, title,"
                " create_time, update_time, last_activity_time)"
                " VALUES (%s, %s, %s, %s, 'm', %s, now(), now(), now())",
                (tenant, session, account, member_id, content.seal_title(key, session, title)),
            )
            sealed = content.seal_body(key, str(session), str(history), body)
            await driver.execute(
                "INSERT INTO wrtn_histories (tenant_id, id, chat_session_id, sequence, connection_id,"
                " attribution_id, type, body, create_time)"
                " VALUES (%s, %s, %s, 1, %s, %s, 'message', %s, now())",
                (tenant, history, session, NEW(), NEW(), sealed),
            )

    async def download(self, export_id: str, known: SignedIn) -> bytes:
        request = exports_pb2.DownloadExportRequest(export_id=export_id)
        call = self.exports.DownloadExport(request, metadata=known.metadata)
        return b"".join([part.data async for part in call])

    async def export(self, known: SignedIn) -> Operation:
        begun = await self.exports.ExportMyData(exports_pb2.ExportMyDataRequest(), metadata=known.metadata)
        assert await self.ended(begun.id) == "SUCCEEDED"
        return await self.operation(begun.id, known)

    async def erase(self, known: SignedIn, member_id: str, **fields: Any) -> Operation:
        request = erasures_pb2.EraseMemberRequest(member_id=member_id, **fields)
        return await self.erasures.EraseMember(request, metadata=known.metadata)

    async def administrator(self) -> SignedIn:
        known = await member(self.identity)
        runtime = self.identity.running.runtime
        member_id = UUID(known.member_id)
        asked = admin.parser().parse_args(["appoint-administrator", "--email", known.email])
        await asked.run(admin.Admin(runtime.db, runtime.keyring, runtime.clock), asked)
        runtime.principals.drop([member_id])
        return known

    async def erased(self, known: SignedIn) -> Operation:
        """Has an administrator erase a member."""
        decider = await self.administrator()
        begun = await self.erase(decider, known.member_id, reason="asked by letter")
        assert await self.ended(begun.id) == "SUCCEEDED"
        return await self.operation(begun.id, await sign_in(self.identity, decider.email))

    @asynccontextmanager
    async def without(self, service: str) -> AsyncIterator[None]:
        """Has identity find nobody where this service was, for as long as the block runs."""
        peers = self.identity.running.runtime.peers
        good = peers._addresses[service]
        self._forget(service)
        peers._addresses[service] = "127.0.0.1:1"
        yield
        self._forget(service)
        peers._addresses[service] = good

    def _forget(self, service: str) -> None:
        peers = self.identity.running.runtime.peers
        peers._channels.pop((service, "wrtn.subjects.v1.DataSubjectService"), None)
        peers._stubs.clear()

    def files(self, known: SignedIn) -> list[Path]:
        """Answers the files that lie there of a member's exports."""
        folder = self.blobs / "identity" / "exports" / known.member_id
        return [each for each in folder.rglob("*") if each.is_file()]

    async def works_at(self, known: SignedIn) -> tuple[UUID, UUID]:
        """Gives the member an account in an enterprise; answers both."""
        firm, account = NEW(), NEW()
        request = OpenAccountRequest(
            account_id=str(account), enterprise_id=str(firm), member_id=known.member_id
        )
        await self.identity.accounts.OpenAccount(request, metadata=self.identity.peer())
        return firm, account


SERVICES: dict[str, tuple[type[ServiceSettings], Any]] = {
    "enterprise": (EnterpriseSettings, enterprise.wire),
    "sessions": (SessionsSettings, sessions.wire),
    "billing": (BillingSettings, billing.wire),
    "analytics": (ServiceSettings, analytics.wire),
}


@asynccontextmanager
async def world(on: Ground) -> AsyncIterator[World]:
    """Serves it, over fresh databases."""
    databases = {name: await on.database(name) for name in (*SERVICES, "identity")}
    async with AsyncExitStack() as stack:
        serve = await stack.enter_async_context(starting(on.database, on.nats, on.callers))
        files: dict[str, dict[str, Any]] = {"sessions": {"blob_url": (on.folder / "blobs").as_uri()}}
        others = {
            name: await serve(
                name, kind, wire, database=databases[name], clock=on.clock, **files.get(name, {})
            )
            for name, (kind, wire) in SERVICES.items()
        }
        chosen = replace(
            on.settings(databases["identity"]),
            enterprise_address=others["enterprise"].address,
            sessions_address=others["sessions"].address,
            billing_address=others["billing"].address,
            analytics_address=others["analytics"].address,
        )
        served = await stack.enter_async_context(on.serving(databases["identity"], chosen))
        channel = await stack.enter_async_context(served.running.channel())
        stubs = ExportServiceStub(channel), ErasureServiceStub(channel), OperationServiceStub(channel)
        yield World(served, others, databases, on.clock, on.folder / "blobs", *stubs)


def documents(archive: bytes) -> dict[str, list[dict[str, Any]]]:
    """Reads an archive, and checks it against its index."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        index = json.loads(opened.read("index.json"))["documents"]
        found = {}
        for each in index:
            data = opened.read(each["file"])
            assert (each["size"], each["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
            found[each["file"]] = [json.loads(line) for line in data.splitlines()]
        assert sorted(opened.namelist()) == sorted(["index.json", *found])
        return found


async def refused(call: Awaitable[object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value.code(), reason(error.value)
