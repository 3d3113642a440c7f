"""One place to search what every service audits: staff everywhere, owners in their own tenant."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import grpc
import pytest
import pytest_asyncio

from chassis import timestamps
from chassis.audit.acts import PLATFORM
from chassis.clock import Clock
from chassis.database import Scope
from chassis.service import Running
from chassis.settings import ServiceSettings
from chassis.testing.callers import Callers, Known
from chassis.testing.serving import Serve
from chassis.testing.waiting import until
from services.analytics.main import wire
from wrtn.access.v1.access_pb2 import StaffRight, Title
from wrtn.analytics.v1.audit_pb2 import SearchAuditEntriesRequest, SearchAuditEntriesResponse
from wrtn.analytics.v1.audit_pb2_grpc import AuditServiceStub
from wrtn.audit.v1.audit_pb2 import ACTOR_KIND_SYSTEM

if TYPE_CHECKING:
    from wrtn.analytics.v1.audit_pb2_grpc import AuditServiceAsyncStub

NEW = Clock().new_id


@dataclass
class World:
    """A running analytics service; its own audit entries come back to it over the broker."""

    running: Running[ServiceSettings]
    stub: AuditServiceAsyncStub
    staff: Known

    async def act(self, tenant_id: UUID, action: str = "thing.done", target_id: UUID | None = None) -> UUID:
        """Has something audited, and waits until the copy is there."""
        async with self.running.runtime.db.transaction(Scope()) as tx:
            made = tx.audit(action, tenant_id=tenant_id, target_id=target_id, reason="Ann asked")

        async def copied() -> bool:
            async with self.running.runtime.worker.snapshot(Scope()) as snapshot:
                query = "SELECT 1 FROM wrtn_audit_copies WHERE id = %s"
                return bool(await (await (await snapshot.driver()).execute(query, (made,))).fetchall())

        await until(copied)
        return made

    async def search(self, known: Known, **fields: object) -> SearchAuditEntriesResponse:
        """Searches, and leaves out what tells of searches: when those come back is nobody's to say."""
        request = SearchAuditEntriesRequest(**fields)  # type: ignore[arg-type]
        found = await self.stub.SearchAuditEntries(request, metadata=known.metadata)
        others = [each for each in found.entries if each.action != "audit_entries.searched"]
        return SearchAuditEntriesResponse(entries=others, next_page_token=found.next_page_token)

    async def ids(self, known: Known, **fields: object) -> list[UUID]:
        """Answers the ids that a search finds."""
        return [UUID(each.id) for each in (await self.search(known, **fields)).entries]


@pytest_asyncio.fixture
async def world(serve: Serve, callers: Callers) -> AsyncIterator[World]:
    running = await serve("analytics", ServiceSettings, wire)
    staff = callers.member(staff=StaffRight.STAFF_RIGHT_MODERATOR)
    async with running.channel() as channel:
        yield World(running, AuditServiceStub(channel), staff)


async def test_what_a_service_audits_is_found_by_staff_in_every_tenant(world: World) -> None:
    one, other, target = NEW(), NEW(), NEW()
    first = await world.act(one, target_id=target)
    second = await world.act(other)
    assert await world.ids(world.staff) == [second, first]
    (entry,) = (await world.search(world.staff, tenant_id=str(one))).entries
    assert (entry.service, entry.action, entry.target_id) == ("analytics", "thing.done", str(target))
    assert entry.actor.kind == ACTOR_KIND_SYSTEM
    assert b"Ann" not in entry.SerializeToString()


async def test_an_owner_searches_their_own_tenant_alone(world: World, callers: Callers) -> None:
    enterprise = NEW()
    owner = callers.employee(enterprise, Title.TITLE_OWNER)
    own = await world.act(enterprise)
    await world.act(NEW())
    assert await world.ids(owner, tenant_id=str(enterprise)) == [own]
    for tenant_id, code in (("", grpc.StatusCode.INVALID_ARGUMENT), (str(NEW()), grpc.StatusCode.NOT_FOUND)):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await world.ids(owner, tenant_id=tenant_id)
        assert refused.value.code() == code


async def test_an_employee_who_is_no_owner_searches_nothing(world: World, callers: Callers) -> None:
    enterprise = NEW()
    await world.act(enterprise)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await world.ids(callers.employee(enterprise, Title.TITLE_MANAGER), tenant_id=str(enterprise))
    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED


async def test_a_search_narrows_by_action_target_and_time(world: World) -> None:
    tenant, target = NEW(), NEW()
    first = await world.act(tenant, "thing.done", target)
    second = await world.act(tenant, "thing.undone")
    third = await world.act(tenant, "other.done")
    search = world.ids
    assert await search(world.staff, action="thing.done") == [first]
    assert await search(world.staff, action="thing.") == [second, first]
    assert await search(world.staff, target_id=str(target)) == [first]
    assert await search(world.staff, actor_id=str(NEW())) == []
    entries = (await world.search(world.staff)).entries
    assert await search(world.staff, start_time=entries[1].create_time) == [third, second]
    assert await search(world.staff, end_time=entries[1].create_time) == [first]
    later = timestamps.of(Clock().now() + timedelta(days=1))
    assert await search(world.staff, start_time=later) == []


async def test_that_staff_searched_is_audited_and_what_owners_do_in_their_tenant_is_theirs(
    world: World, callers: Callers
) -> None:
    tenant = NEW()
    await world.search(callers.employee(tenant, Title.TITLE_OWNER), tenant_id=str(tenant))
    await world.search(world.staff, tenant_id=str(tenant))
    await world.search(world.staff)
    async with world.running.runtime.db.snapshot(Scope.of(PLATFORM)) as snapshot:
        query = "SELECT target_id, member_id FROM wrtn_audit_entries ORDER BY create_time, id"
        found = await (await (await snapshot.driver()).execute(query)).fetchall()
    assert found == [(tenant, world.staff.member_id), (None, world.staff.member_id)]


async def test_a_search_is_paged(world: World) -> None:
    made = [await world.act(NEW()) for _ in range(3)]
    page = await world.search(world.staff, page_size=2)
    rest = await world.search(world.staff, page_size=2, page_token=page.next_page_token)
    assert [UUID(each.id) for each in [*page.entries, *rest.entries]] == made[::-1]
    assert not rest.next_page_token


async def test_an_entry_that_is_told_again_is_one_entry(world: World) -> None:
    made = await world.act(NEW())
    runtime = world.running.runtime
    async with runtime.worker.transaction(Scope()) as tx:
        await (await tx.driver()).execute("UPDATE wrtn_outbox SET sent_time = NULL, epoch = 'again'")
    async with runtime.db.transaction(Scope()):
        pass
    last = await world.act(NEW())
    assert await world.ids(world.staff) == [last, made]
