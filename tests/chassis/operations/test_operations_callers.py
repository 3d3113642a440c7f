"""Who sees long work and cancels it, at a step."""

from __future__ import annotations

from datetime import timedelta

import grpc
import pytest

from chassis.testing.callers import Callers
from chassis.testing.waiting import until
from tests.chassis.operating import KIND, NEW, Script, World, cancel, effects, get
from wrtn.access.v1.access_pb2 import Title
from wrtn.operations.v1 import operations_pb2
from wrtn.operations.v1.operations_pb2 import Operation


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
