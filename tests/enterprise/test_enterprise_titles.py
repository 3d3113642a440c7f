"""Titles change hands: who may change whose, what goes with them, and that somebody always owns."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from tests.enterprise.make import World, refusal, refused
from wrtn.access.v1.access_pb2 import (
    DUTY_BILLING,
    TITLE_MANAGER,
    TITLE_MEMBER,
    TITLE_OWNER,
    Title,
)
from wrtn.enterprise.v1.events_pb2 import TitleChanged

ABOVE = (grpc.StatusCode.PERMISSION_DENIED, "APPOINTMENT_ABOVE_RIGHT")
NOT_ADMITTED = (grpc.StatusCode.PERMISSION_DENIED, "NOT_ADMITTED")
LAST_OWNER = (grpc.StatusCode.FAILED_PRECONDITION, "LAST_OWNER")


async def test_an_owner_changes_titles_and_every_change_is_on_record(world: World) -> None:
    owner = await world.owner()
    worker = await world.hire(owner)
    assert (await world.promote(owner, worker, TITLE_MANAGER, "Earned.")).title == TITLE_MANAGER
    assert (await world.resolve(worker)).title == TITLE_MANAGER
    assert (await world.promote(owner, worker, TITLE_MEMBER)).title == TITLE_MEMBER
    told = [(each.title_before, each.title_after, each.reason) for each in await world.records(owner, worker)]
    assert told == [
        (TITLE_MANAGER, TITLE_MEMBER, ""),
        (TITLE_MEMBER, TITLE_MANAGER, "Earned."),
        (0, TITLE_MEMBER, ""),
    ]
    rows = await world.rows(
        "SELECT payload, aggregate_version FROM wrtn_outbox WHERE subject LIKE '%%.title_changed'"
        " AND tenant_id = %s ORDER BY id",
        owner.enterprise_id,
    )
    assert [(TitleChanged.FromString(payload).title, version) for payload, version in rows] == [
        (TITLE_MANAGER, 2),
        (TITLE_MEMBER, 3),
    ]


async def test_the_title_that_one_has_already_leaves_no_record(world: World) -> None:
    owner = await world.owner()
    worker = await world.hire(owner)
    await world.promote(owner, worker, TITLE_MEMBER)
    assert len(await world.records(owner, worker)) == 1


async def test_duties_go_with_the_title_of_manager(world: World) -> None:
    owner = await world.owner()
    manager = await world.hire(owner, TITLE_MANAGER)
    await world.entrust(owner, manager, DUTY_BILLING)
    assert list((await world.promote(owner, manager, TITLE_MEMBER)).duties) == []
    record = (await world.records(owner, manager))[0]
    assert (list(record.duties_before), list(record.duties_after)) == ([DUTY_BILLING], [])
    assert list((await world.resolve(manager)).duties) == []


@pytest.mark.parametrize("title", [TITLE_MEMBER, TITLE_MANAGER])
async def test_nobody_but_an_owner_changes_titles(world: World, title: Title.ValueType) -> None:
    owner = await world.owner()
    worker, other = await world.hire(owner, title), await world.hire(owner)
    for whom, after in ((worker, TITLE_OWNER), (other, TITLE_MANAGER), (owner, TITLE_MEMBER)):
        assert await refused(world.promote(worker, whom, after)) == NOT_ADMITTED
    assert len(await world.records(owner)) == 3


async def test_the_last_owner_is_not_demoted_and_does_not_leave(world: World) -> None:
    owner = await world.owner()
    assert await refused(world.promote(owner, owner, TITLE_MANAGER)) == LAST_OWNER
    assert await refused(world.leave(owner)) == LAST_OWNER
    second = await world.hire(owner, TITLE_OWNER)
    await world.promote(owner, owner, TITLE_MEMBER)
    assert await refused(world.leave(second)) == LAST_OWNER
    await world.leave(owner)
    assert len(await world.records(second)) == 4


@pytest.mark.parametrize("attempt", range(3))
async def test_two_owners_who_demote_each_other_at_the_same_instant_leave_one(
    world: World, attempt: int
) -> None:
    owner = await world.owner()
    second = await world.hire(owner, TITLE_OWNER)
    async with world.appointing(owner):
        racing = asyncio.gather(
            world.promote(owner, second, TITLE_MEMBER),
            world.promote(second, owner, TITLE_MEMBER),
            return_exceptions=True,
        )
        await world.waits_for_a_lock(2)
    answers = await racing
    lost = [refusal(each) for each in answers if isinstance(each, grpc.aio.AioRpcError)]
    assert lost == [ABOVE]
    titles = [(await world.resolve(each)).title for each in (owner, second)]
    assert sorted(titles) == [TITLE_MEMBER, TITLE_OWNER]


async def test_two_last_owners_who_leave_at_the_same_instant_leave_one(world: World) -> None:
    owner = await world.owner()
    second = await world.hire(owner, TITLE_OWNER)
    async with world.appointing(owner):
        racing = asyncio.gather(world.leave(owner), world.leave(second), return_exceptions=True)
        await world.waits_for_a_lock(2)
    lost = [refusal(each) for each in await racing if isinstance(each, grpc.aio.AioRpcError)]
    assert lost == [LAST_OWNER]


async def test_records_are_in_the_order_of_time_though_transactions_are_not(world: World) -> None:
    owner = await world.owner()
    async with world.appointing(owner):
        early = asyncio.ensure_future(world.hire(owner))
        await world.waits_for_a_lock()
        late = asyncio.ensure_future(world.hire(owner))
        await world.waits_for_a_lock(2)
    await asyncio.gather(early, late)
    records = (await world.records(owner))[::-1]
    times = [each.create_time.ToNanoseconds() for each in records]
    assert times == sorted(times)
    assert [each.sequence for each in records] == [1, 2, 3]
