"""Duties: what owners entrust managers with."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from tests.enterprise.make import Worker, World, refusal
from wrtn.access.v1.access_pb2 import (
    DUTY_BILLING,
    DUTY_SECURITY,
    TITLE_MANAGER,
    TITLE_MEMBER,
    TITLE_OWNER,
    TITLE_UNSPECIFIED,
    Title,
)
from wrtn.enterprise.v1.employees_pb2 import Appointment, ListAppointmentsRequest
from wrtn.enterprise.v1.events_pb2 import DutiesChanged


async def newest(world: World, by: Worker) -> Appointment:
    request = ListAppointmentsRequest(enterprise_id=by.enterprise_id, page_size=1)
    return (await world.employees.ListAppointments(request, metadata=by.metadata)).appointments[0]


async def test_an_owner_entrusts_a_manager_with_duties_which_every_service_is_told(world: World) -> None:
    owner = await world.owner()
    manager = await world.hire(owner, TITLE_MANAGER)
    changed = await world.entrust(owner, manager, DUTY_SECURITY, DUTY_BILLING)
    assert list(changed.duties) == [DUTY_BILLING, DUTY_SECURITY]
    assert list((await world.resolve(manager)).duties) == [DUTY_BILLING, DUTY_SECURITY]
    assert list((await world.resolve(owner)).duties) == []
    ((payload, version),) = await world.rows(
        "SELECT payload, aggregate_version FROM wrtn_outbox WHERE subject LIKE '%%.duties_changed'"
        " AND tenant_id = %s",
        owner.enterprise_id,
    )
    told = DutiesChanged.FromString(payload)
    assert (told.employee_id, told.account_id, list(told.duties), version) == (
        manager.employee_id,
        manager.account_id,
        [DUTY_BILLING, DUTY_SECURITY],
        2,
    )


async def test_duties_are_on_record_with_what_was_before_and_why(world: World) -> None:
    owner = await world.owner()
    manager = await world.hire(owner, TITLE_MANAGER)
    await world.entrust(owner, manager, DUTY_BILLING)
    await world.entrust(owner, manager, DUTY_SECURITY)
    record = await newest(world, owner)
    assert (record.employee_id, record.decider_employee_id, record.reason) == (
        manager.employee_id,
        owner.employee_id,
        "Trusted.",
    )
    assert (list(record.duties_before), list(record.duties_after)) == ([DUTY_BILLING], [DUTY_SECURITY])
    assert (record.title_before, record.title_after) == (TITLE_UNSPECIFIED, TITLE_UNSPECIFIED)
    # Said again it changes nothing.
    await world.entrust(owner, manager, DUTY_SECURITY)
    assert (await newest(world, owner)).sequence == record.sequence
    await world.entrust(owner, manager)
    assert list((await world.resolve(manager)).duties) == []
    assert list((await newest(world, owner)).duties_after) == []


@pytest.mark.parametrize("title", [TITLE_MEMBER, TITLE_OWNER])
async def test_only_managers_are_given_duties(world: World, title: Title.ValueType) -> None:
    owner = await world.owner()
    other = await world.hire(owner, title)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await world.entrust(owner, other, DUTY_BILLING)
    assert refusal(refused.value) == (grpc.StatusCode.FAILED_PRECONDITION, "DUTIES_NEED_A_MANAGER")
    assert (await newest(world, owner)).sequence == 2


@pytest.mark.parametrize("title", [TITLE_MEMBER, TITLE_MANAGER])
async def test_nobody_but_an_owner_gives_duties_and_least_of_all_to_themself(
    world: World, title: Title.ValueType
) -> None:
    owner = await world.owner()
    manager = await world.hire(owner, TITLE_MANAGER)
    other = await world.hire(owner, title)
    for whom in (manager, other):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await world.entrust(other, whom, DUTY_BILLING)
        assert refusal(refused.value) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_ADMITTED")
    assert list((await world.resolve(manager)).duties) == []


async def test_an_owner_who_is_demoted_at_that_instant_gives_no_duties(world: World) -> None:
    owner = await world.owner()
    second, manager = await world.hire(owner, TITLE_OWNER), await world.hire(owner, TITLE_MANAGER)
    await world.entrust(second, manager)
    async with world.appointing(owner) as tx:
        racing = asyncio.ensure_future(world.entrust(second, manager, DUTY_BILLING))
        await world.waits_for_a_lock()
        driver = await tx.driver()
        await driver.execute("UPDATE wrtn_employees SET title = 2 WHERE id = %s", (second.employee_id,))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await racing
    assert refusal(refused.value) == (grpc.StatusCode.PERMISSION_DENIED, "APPOINTMENT_ABOVE_RIGHT")
    assert list((await world.resolve(manager)).duties) == []


async def test_a_foreign_and_an_unknown_employee_look_the_same(world: World) -> None:
    owner, stranger = await world.owner(), await world.owner()
    foreign = await world.hire(stranger, TITLE_MANAGER)
    missing = Worker(foreign.person, owner.enterprise_id, str(world.clock.new_id()), "", ())
    for whom in (foreign, missing):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await world.entrust(owner, whom, DUTY_BILLING)
        assert refusal(refused.value) == (grpc.StatusCode.NOT_FOUND, "EMPLOYEE_NOT_FOUND")
