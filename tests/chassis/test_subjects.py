"""What a service holds about a member is handed out whole, and destroyed with its keys for good."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import grpc
import pytest
import pytest_asyncio

from chassis.call import Call, Caller, CallerKind, enter
from chassis.clock import Clock
from chassis.crypto import KeyDestroyed
from chassis.database import Scope
from chassis.service import Parts, Running, Runtime
from chassis.settings import ServiceSettings
from chassis.subjects import Listing, Subject, SubjectRpc
from chassis.subjects.documents import PAGE
from chassis.testing.callers import Callers
from chassis.testing.databases import ServiceDatabase
from chassis.testing.serving import Serve
from tests.chassis.conftest import VERSIONS
from wrtn.access.v1.access_pb2 import StaffRight
from wrtn.subjects.v1.subjects_pb2 import EraseSubjectRequest, EraseSubjectResponse, ExportSubjectRequest
from wrtn.subjects.v1.subjects_pb2_grpc import (
    DataSubjectServiceStub,
    add_DataSubjectServiceServicer_to_server,
)

if TYPE_CHECKING:
    from wrtn.subjects.v1.subjects_pb2_grpc import DataSubjectServiceAsyncStub

NEW = Clock().new_id
NOTES = """
SELECT id, body FROM wrtn_notes WHERE tenant_id = ANY (%(tenants)s) AND id > %(after)s
ORDER BY id LIMIT %(page)s
"""


def documents(subject: Subject) -> Iterator[Listing]:
    yield Listing("notes", subject.own, NOTES, {"tenants": list(subject.personal_account_ids)})


@dataclass
class World:
    running: Running[ServiceSettings]
    stub: DataSubjectServiceAsyncStub
    callers: Callers

    async def export(self, subject: Subject) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, bytes] = {}
        request = ExportSubjectRequest(subject=subject.message())
        async for part in self.stub.ExportSubject(request, metadata=self.callers.peer("identity", "sample")):
            found[part.document] = found.get(part.document, b"") + part.data
        return {name: [json.loads(each) for each in data.splitlines()] for name, data in found.items()}

    async def erase(self, subject: Subject) -> EraseSubjectResponse:
        request = EraseSubjectRequest(subject=subject.message())
        return await self.stub.EraseSubject(request, metadata=self.callers.peer("identity", "sample"))

    async def note(self, tenant_id: UUID, count: int = 1) -> None:
        async with self.running.runtime.db.transaction(Scope.of(tenant_id)) as tx:
            for number in range(count):
                await (await tx.driver()).execute(
                    "INSERT INTO wrtn_notes VALUES (%s, %s, %s)", (tenant_id, NEW(), str(number))
                )


@pytest_asyncio.fixture
async def world(serve: Serve, service_database: ServiceDatabase, callers: Callers) -> AsyncIterator[World]:
    def wire(runtime: Runtime[ServiceSettings]) -> Parts:
        rpc = SubjectRpc(runtime, documents, kept={"books": "by law"})
        return Parts(servicers=[(add_DataSubjectServiceServicer_to_server, rpc)])

    running = await serve("sample", ServiceSettings, wire, database=service_database, versions=VERSIONS)
    async with running.channel() as channel:
        yield World(running, DataSubjectServiceStub(channel), callers)


async def test_an_export_holds_all_of_the_member_and_nothing_of_others(world: World) -> None:
    subject, other = Subject(NEW(), (NEW(),)), NEW()
    await world.note(subject.personal_account_ids[0], PAGE + 3)
    await world.note(other)
    found = await world.export(subject)
    assert sorted(int(each["body"]) for each in found["notes"]) == list(range(PAGE + 3))


async def test_an_export_holds_what_was_audited_but_not_what_others_wrote(world: World) -> None:
    subject = Subject(NEW())
    enter(Call("/x/Y", Caller(CallerKind.MEMBER, member_id=subject.member_id)))
    async with world.running.runtime.db.transaction(Scope()) as tx:
        tx.audit("thing.done", tenant_id=subject.member_id, reason="mine")
    enter(Call("/x/Y", Caller(CallerKind.MEMBER, member_id=NEW(), staff=2), address="203.0.113.9"))
    async with world.running.runtime.db.transaction(Scope()) as tx:
        tx.audit("thing.undone", tenant_id=subject.member_id, reason="theirs")
    found = (await world.export(subject))["audit_entries"]
    assert [(each["action"], each["details"]) for each in found] == [
        ("thing.done", {"reason": "mine"}),
        ("thing.undone", {}),
    ]


async def test_an_erasure_destroys_the_keys_of_the_member_and_their_accounts_for_good(world: World) -> None:
    subject, other = Subject(NEW(), (NEW(), NEW())), NEW()
    runtime = world.running.runtime
    async with runtime.db.transaction(Scope.of(*subject.owners, other)) as tx:
        for owner in (*subject.owners, other):
            await runtime.keyring.key(tx, owner)
    first, second = await world.erase(subject), await world.erase(subject)
    assert (dict(first.destroyed), dict(first.kept)) == ({"keys": 3}, {"books": "by law"})
    assert (first.service, dict(second.destroyed)) == ("sample", {"keys": 3})
    async with runtime.db.transaction(Scope.of(*subject.owners, other)) as tx:
        for owner in subject.owners:
            with pytest.raises(KeyDestroyed):
                await runtime.keyring.key(tx, owner)
        await runtime.keyring.key(tx, other)


async def test_only_a_peer_asks(world: World) -> None:
    subject = Subject(NEW()).message()
    for metadata in (
        world.callers.member(staff=StaffRight.STAFF_RIGHT_ADMINISTRATOR).metadata,
        world.callers.credential("x").metadata,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await world.stub.EraseSubject(EraseSubjectRequest(subject=subject), metadata=metadata)
        assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
