"""Deputies: the rights of an absent one, until the end that was set and never after."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

import grpc

from chassis.testing.clocks import MovableClock
from tests.enterprise.make import Worker, World, refused
from wrtn.access.v1.access_pb2 import (
    DUTY_BILLING,
    ROLE_CHIEF,
    ROLE_MANAGER,
    ROLE_MEMBER,
    ROLE_UNSPECIFIED,
    TITLE_MANAGER,
    TITLE_MEMBER,
    TITLE_UNSPECIFIED,
)
from wrtn.enterprise.v1.deputies_pb2 import Deputy, EndDeputyRequest, ListDeputiesRequest

ABOVE = (grpc.StatusCode.PERMISSION_DENIED, "APPOINTMENT_ABOVE_RIGHT")
NOT_ADMITTED = (grpc.StatusCode.PERMISSION_DENIED, "NOT_ADMITTED")
INVALID = grpc.StatusCode.INVALID_ARGUMENT


def pass_time(world: World, minutes: float) -> None:
    cast("MovableClock", world.clock).ahead += timedelta(minutes=minutes)


async def end(world: World, by: Worker, deputy: Deputy) -> Deputy:
    request = EndDeputyRequest(enterprise_id=by.enterprise_id, deputy_id=deputy.id)
    return await world.deputies.EndDeputy(request, metadata=by.metadata)


async def lasting(world: World, by: Worker) -> list[Deputy]:
    request = ListDeputiesRequest(enterprise_id=by.enterprise_id)
    return list((await world.deputies.ListDeputies(request, metadata=by.metadata)).deputies)


async def test_a_deputy_of_a_chief_has_the_role_until_the_end_and_never_after(world: World) -> None:
    owner = await world.owner()
    top = await world.team(owner)
    below = await world.team(owner, top)
    chief, deputy, worker = [await world.hire(owner) for _ in range(3)]
    await world.appoint(owner, top, chief, ROLE_CHIEF)
    await world.deputise(owner, deputy, chief, top)
    access = await world.resolve(deputy, below)
    assert (access.team.role, access.title) == (ROLE_CHIEF, TITLE_MEMBER)
    assert 0 < access.good_for.ToSeconds() <= 8 * 60
    await world.appoint(deputy, below, worker, ROLE_CHIEF)
    # Nothing runs: time alone ends it.
    pass_time(world, 7)
    assert (await world.resolve(deputy, below)).team.role == ROLE_CHIEF
    pass_time(world, 1)
    access = await world.resolve(deputy, below)
    assert (access.team.role, access.HasField("good_for")) == (ROLE_UNSPECIFIED, False)
    assert await lasting(world, owner) == []
    # Not even behind a cache that has not heard of it.
    world.running.runtime.access.clear()
    assert await refused(world.appoint(deputy, below, worker, ROLE_MEMBER)) == NOT_ADMITTED


async def test_a_deputy_of_a_manager_of_the_enterprise_has_the_title_without_its_duties(world: World) -> None:
    owner = await world.owner()
    manager, deputy = await world.hire(owner, TITLE_MANAGER), await world.hire(owner)
    await world.entrust(owner, manager, DUTY_BILLING)
    made = await world.deputise(owner, deputy, manager)
    assert (made.title, made.team_id) == (TITLE_MANAGER, "")
    access = await world.resolve(deputy)
    assert (access.title, list(access.duties)) == (TITLE_MANAGER, [])
    await world.hire(deputy)
    pass_time(world, 8)
    assert (await world.resolve(deputy)).title == TITLE_MEMBER


async def test_a_deputy_does_not_make_lasting_what_is_lent(world: World) -> None:
    owner = await world.owner()
    manager, deputy = await world.hire(owner, TITLE_MANAGER), await world.hire(owner)
    team = await world.team(owner)
    await world.appoint(owner, team, manager, ROLE_CHIEF)
    await world.deputise(owner, deputy, manager)
    await world.deputise(owner, deputy, manager, team)
    for role in (ROLE_MEMBER, ROLE_CHIEF):
        assert await refused(world.appoint(deputy, team, deputy, role)) == ABOVE
    assert await refused(world.promote(deputy, deputy, TITLE_MANAGER)) == NOT_ADMITTED
    assert await refused(world.deputise(deputy, deputy, manager, team)) == ABOVE


async def test_a_deputyship_is_on_record_with_its_end(world: World) -> None:
    owner = await world.owner()
    team = await world.team(owner)
    chief, deputy = await world.hire(owner), await world.hire(owner)
    await world.appoint(owner, team, chief, ROLE_CHIEF)
    made = await world.deputise(owner, deputy, chief, team)
    record = (await world.records(owner, deputy))[0]
    assert (record.absent_employee_id, record.team_id, record.role_before, record.role_after) == (
        chief.employee_id,
        team,
        ROLE_UNSPECIFIED,
        ROLE_CHIEF,
    )
    assert (record.until_time, record.reason) == (made.end_time, "She is at sea.")
    assert (await world.subjects(owner))[-1] == "deputy.appointed"
    await end(world, owner, made)
    record = (await world.records(owner, deputy))[0]
    assert (record.role_before, record.role_after, record.HasField("until_time")) == (
        ROLE_CHIEF,
        ROLE_UNSPECIFIED,
        False,
    )
    assert (await world.subjects(owner))[-1] == "deputy.ended"
    # What is over stays as it is.
    count = len(await world.records(owner))
    await end(world, owner, made)
    assert len(await world.records(owner)) == count


async def test_a_deputy_is_appointed_by_whom_could_appoint_to_the_role(world: World) -> None:
    owner = await world.owner()
    top = await world.team(owner)
    below = await world.team(owner, top)
    chief, beneath, manager, deputy, plain = [await world.hire(owner) for _ in range(5)]
    await world.appoint(owner, top, chief, ROLE_CHIEF)
    await world.appoint(owner, below, beneath, ROLE_CHIEF)
    await world.appoint(owner, below, manager, ROLE_MANAGER)
    # Chiefs of a team are not of their own appointing, nor are their deputies.
    assert await refused(world.deputise(beneath, deputy, beneath, below)) == ABOVE
    assert await refused(world.deputise(manager, deputy, manager, below)) == NOT_ADMITTED
    assert await refused(world.deputise(plain, deputy, beneath, below)) == NOT_ADMITTED
    assert await refused(world.deputise(chief, deputy, chief, top)) == ABOVE
    await world.deputise(chief, deputy, beneath, below)
    await world.deputise(beneath, deputy, manager, below)
    of_title = await world.hire(owner, TITLE_MANAGER)
    assert await refused(world.deputise(of_title, deputy, of_title)) == ABOVE
    assert len(await lasting(world, owner)) == 2


async def test_it_is_ended_by_the_deputy_the_absent_one_and_whom_could_appoint(world: World) -> None:
    owner = await world.owner()
    team = await world.team(owner)
    chief, deputy, stranger = [await world.hire(owner) for _ in range(3)]
    await world.appoint(owner, team, chief, ROLE_CHIEF)
    for by in (deputy, chief, owner):
        made = await world.deputise(owner, deputy, chief, team)
        assert await refused(end(world, stranger, made)) == ABOVE
        await end(world, by, made)
        assert (await world.resolve(deputy, team)).team.role == ROLE_UNSPECIFIED
    missing = Deputy(id=str(world.clock.new_id()))
    assert await refused(end(world, owner, missing)) == (grpc.StatusCode.NOT_FOUND, "DEPUTY_NOT_FOUND")


async def test_a_new_deputyship_of_the_same_two_takes_the_place_of_the_old(world: World) -> None:
    owner = await world.owner()
    team = await world.team(owner)
    chief, deputy = await world.hire(owner), await world.hire(owner)
    await world.appoint(owner, team, chief, ROLE_CHIEF)
    await world.deputise(owner, deputy, chief, team, days=2)
    second = await world.deputise(owner, deputy, chief, team)
    assert [each.id for each in await lasting(world, owner)] == [second.id]
    pass_time(world, 8)
    assert (await world.resolve(deputy, team)).team.role == ROLE_UNSPECIFIED


async def test_a_deputyship_ends_with_what_it_stands_in_for(world: World) -> None:
    owner = await world.owner()
    team = await world.team(owner)
    chief, deputy = await world.hire(owner), await world.hire(owner)
    await world.appoint(owner, team, chief, ROLE_CHIEF)
    for lose in (
        world.appoint(owner, team, chief, ROLE_MEMBER),
        world.remove(owner, team, chief),
        world.dismiss(owner, chief),
    ):
        if (await world.resolve(chief)).title:
            await world.appoint(owner, team, chief, ROLE_CHIEF)
        await world.deputise(owner, deputy, chief, team)
        await lose
        assert await lasting(world, owner) == []
        assert (await world.resolve(deputy, team)).team.role == ROLE_UNSPECIFIED


async def test_a_dismissed_deputy_stands_in_for_nobody_also_when_hired_again(world: World) -> None:
    owner = await world.owner()
    manager, deputy = await world.hire(owner, TITLE_MANAGER), await world.hire(owner)
    await world.deputise(owner, deputy, manager)
    await world.dismiss(owner, deputy)
    assert (await world.resolve(deputy)).title == TITLE_UNSPECIFIED
    assert await lasting(world, owner) == []


async def test_what_cannot_be_has_its_own_reason_and_changes_nothing(world: World) -> None:
    owner, stranger = await world.owner(), await world.owner()
    team, foreign = await world.team(owner), await world.team(stranger)
    chief, worker = await world.hire(owner), await world.hire(owner)
    await world.appoint(owner, team, chief, ROLE_CHIEF)
    before = len(await world.records(owner))
    deputise = world.deputise
    assert await refused(deputise(owner, chief, chief, team)) == (INVALID, "DEPUTY_OF_THEMSELF")
    assert await refused(deputise(owner, worker, chief, team, days=-1)) == (INVALID, "DEPUTY_TIME_INVALID")
    assert await refused(deputise(owner, worker, chief, team, days=400)) == (INVALID, "DEPUTY_TIME_INVALID")
    void = (grpc.StatusCode.FAILED_PRECONDITION, "NOTHING_TO_STAND_IN_FOR")
    assert await refused(deputise(owner, chief, worker, team)) == void
    assert await refused(deputise(owner, worker, chief)) == void
    assert await refused(deputise(owner, worker, owner)) == void
    assert await refused(deputise(owner, worker, chief, foreign)) == (
        grpc.StatusCode.NOT_FOUND,
        "TEAM_NOT_FOUND",
    )
    for pair in ((stranger, chief), (worker, stranger)):
        assert await refused(deputise(owner, *pair, team)) == (
            grpc.StatusCode.NOT_FOUND,
            "EMPLOYEE_NOT_FOUND",
        )
    assert len(await world.records(owner)) == before
    assert await lasting(world, owner) == []
