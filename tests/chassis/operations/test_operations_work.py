"""Long work: done once, when its time has come, and again where it failed."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from chassis.crypto import KeyMissing
from chassis.database import Scope
from chassis.errors import FailedPrecondition, Unavailable
from chassis.operations import Wait
from chassis.testing.callers import Callers
from chassis.testing.waiting import until
from tests.chassis.operating import KIND, NEW, Script, World, effects, get
from wrtn.operations.v1.operations_pb2 import Operation


class Refused(FailedPrecondition):
    reason = "SAMPLE_REFUSED"


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


async def test_begin_needs_the_tenant_in_its_scope(world: World) -> None:
    async with world.running.runtime.db.transaction(Scope.of(NEW())) as tx:
        with pytest.raises(KeyMissing):
            await world.operations.begin(tx, KIND, tenant_id=NEW(), request=b"x")


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
