"""Making teams and appointing their companions, through the interface."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from services.enterprise.store.tree import MOST_DEEP
from tests.enterprise.make import Worker, World, refusal, refused
from tests.enterprise.trees import grow
from wrtn.access.v1.access_pb2 import (
    ROLE_CHIEF,
    ROLE_MANAGER,
    ROLE_MEMBER,
    ROLE_UNSPECIFIED,
    TITLE_MANAGER,
)
from wrtn.enterprise.v1.employees_pb2 import ListAppointmentsRequest
from wrtn.enterprise.v1.events_pb2 import CompanionAppointed, TeamCreated
from wrtn.enterprise.v1.teams_pb2 import (
    AppointCompanionRequest,
    CreateTeamRequest,
    GetTeamRequest,
    ListCompanionsRequest,
    ListTeamsRequest,
    LookUpTeamNamesRequest,
)

ABOVE_RIGHT = (grpc.StatusCode.PERMISSION_DENIED, "APPOINTMENT_ABOVE_RIGHT")
NOT_ADMITTED = (grpc.StatusCode.PERMISSION_DENIED, "NOT_ADMITTED")
TEAM_NOT_FOUND = (grpc.StatusCode.NOT_FOUND, "TEAM_NOT_FOUND")


async def count_of_appointments(world: World, by: Worker) -> int:
    request = ListAppointmentsRequest(enterprise_id=by.enterprise_id, page_size=1)
    return (await world.employees.ListAppointments(request, metadata=by.metadata)).appointments[0].sequence


async def test_a_team_knows_the_teams_above_it_the_nearest_first(world: World) -> None:
    manager = await world.hire(await world.owner(), TITLE_MANAGER)
    top = await world.team(manager)
    middle = await world.team(manager, top)
    team_id = await world.team(manager, middle)
    request = GetTeamRequest(enterprise_id=manager.enterprise_id, team_id=team_id)
    found = await world.teams.GetTeam(request, metadata=manager.metadata)
    assert (found.parent_team_id, list(found.ancestor_ids)) == (middle, [middle, top])
    (row,) = await world.rows(
        "SELECT payload FROM wrtn_outbox WHERE subject LIKE '%%.team.created' AND tenant_id = %s"
        " ORDER BY id DESC LIMIT 1",
        manager.enterprise_id,
    )
    assert TeamCreated.FromString(row[0]) == TeamCreated(
        enterprise_id=manager.enterprise_id, team_id=team_id, ancestor_ids=[middle, top]
    )


async def test_a_peer_hears_what_teams_are_called_and_nobody_else_does(world: World) -> None:
    owner, other = await world.owner(), await world.owner()
    team_id, foreign = await world.team(owner), await world.team(other)
    request = LookUpTeamNamesRequest(enterprise_id=owner.enterprise_id, team_ids=[team_id, foreign])
    found = await world.teams.LookUpTeamNames(request, metadata=world.peer)
    asked = GetTeamRequest(enterprise_id=owner.enterprise_id, team_id=team_id)
    name = (await world.teams.GetTeam(asked, metadata=owner.metadata)).display_name
    assert dict(found.display_names) == {team_id: name}
    assert await refused(world.teams.LookUpTeamNames(request, metadata=owner.metadata)) == NOT_ADMITTED


async def test_a_chief_makes_teams_below_their_own_and_nowhere_else(world: World) -> None:
    owner = await world.owner()
    own, other = await world.team(owner), await world.team(owner)
    chief, manager = await world.hire(owner), await world.hire(owner)
    await world.appoint(owner, own, chief, ROLE_CHIEF)
    await world.appoint(owner, own, manager, ROLE_MANAGER)
    below = await world.team(chief, own)
    await world.team(chief, below)
    for by, parent in ((chief, ""), (chief, other), (manager, own), (chief, str(world.clock.new_id()))):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await world.team(by, parent)
        assert refusal(refused.value) == NOT_ADMITTED


async def test_a_foreign_team_above_looks_like_a_missing_one(world: World) -> None:
    owner, stranger = await world.owner(), await world.owner()
    foreign = await world.team(stranger)
    for parent in (foreign, str(world.clock.new_id())):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await world.team(owner, parent)
        assert refusal(refused.value) == TEAM_NOT_FOUND
        request = ListTeamsRequest(enterprise_id=owner.enterprise_id, parent_team_id=parent)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await world.teams.ListTeams(request, metadata=owner.metadata)
        assert refusal(refused.value) == TEAM_NOT_FOUND


async def test_teams_stand_fifty_deep_and_no_deeper(world: World) -> None:
    owner = await world.owner()
    line = await grow(world, owner, await world.team(owner), deep=MOST_DEEP - 2)
    team_id = await world.team(owner, line[-1])
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await world.team(owner, team_id)
    assert refusal(refused.value) == (grpc.StatusCode.FAILED_PRECONDITION, "TEAM_TOO_DEEP")
    request = GetTeamRequest(enterprise_id=owner.enterprise_id, team_id=team_id)
    found = await world.teams.GetTeam(request, metadata=owner.metadata)
    assert len(set(found.ancestor_ids)) == MOST_DEEP - 1


async def test_the_same_request_makes_one_team(world: World) -> None:
    owner = await world.owner()
    request = CreateTeamRequest(enterprise_id=owner.enterprise_id, display_name="Team", request_id="1")
    answers = await asyncio.gather(
        *(world.teams.CreateTeam(request, metadata=owner.metadata) for _ in range(3))
    )
    assert len({each.id for each in answers}) == 1
    assert (await world.subjects(owner)).count("team.created") == 1


async def test_teams_are_listed_page_by_page_all_or_those_below_one(world: World) -> None:
    owner = await world.owner()
    top = await world.team(owner)
    below = {await world.team(owner, top) for _ in range(3)}
    await world.team(owner, next(iter(below)))
    assert await listed(world, ListTeamsRequest(enterprise_id=owner.enterprise_id, page_size=2), owner) == 5
    request = ListTeamsRequest(enterprise_id=owner.enterprise_id, parent_team_id=top, page_size=2)
    assert await listed(world, request, owner) == 3


async def listed(world: World, request: ListTeamsRequest, by: Worker) -> int:
    """Reads every page; answers how many teams there were, each once and with its ancestors."""
    found: dict[str, list[str]] = {}
    while True:
        answer = await world.teams.ListTeams(request, metadata=by.metadata)
        for team in answer.teams:
            assert team.id not in found
            assert list(team.ancestor_ids[:1]) == ([team.parent_team_id] if team.parent_team_id else [])
            found[team.id] = list(team.ancestor_ids)
        request.page_token = answer.next_page_token
        if not request.page_token:
            return len(found)


async def test_chiefs_appoint_managers_and_managers_members_and_no_higher(world: World) -> None:
    owner = await world.owner()
    team_id = await world.team(owner)
    chief, manager, member, other = [await world.hire(owner) for _ in range(4)]
    await world.appoint(owner, team_id, chief, ROLE_CHIEF)
    await world.appoint(chief, team_id, manager, ROLE_MANAGER)
    await world.appoint(manager, team_id, member, ROLE_MEMBER)
    for by, whom, role, wanted in (
        (chief, other, ROLE_CHIEF, ABOVE_RIGHT),
        (manager, other, ROLE_MANAGER, ABOVE_RIGHT),
        (manager, member, ROLE_MANAGER, ABOVE_RIGHT),
        (manager, chief, ROLE_MEMBER, ABOVE_RIGHT),
        (chief, chief, ROLE_MEMBER, ABOVE_RIGHT),
        (member, other, ROLE_MEMBER, NOT_ADMITTED),
        (other, other, ROLE_MEMBER, NOT_ADMITTED),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await world.appoint(by, team_id, whom, role)
        assert refusal(refused.value) == wanted


async def test_owners_and_managers_join_a_team_themselves(world: World) -> None:
    owner = await world.owner()
    manager = await world.hire(owner, TITLE_MANAGER)
    team_id = await world.team(owner)
    for each, role in ((owner, ROLE_CHIEF), (manager, ROLE_MEMBER), (manager, ROLE_CHIEF)):
        assert (await world.appoint(each, team_id, each, role)).role == role


async def test_a_chief_above_appoints_the_chief_below(world: World) -> None:
    owner = await world.owner()
    top = await world.team(owner)
    below = await world.team(owner, top)
    chief, other = await world.hire(owner), await world.hire(owner)
    await world.appoint(owner, top, chief, ROLE_CHIEF)
    appointed = await world.appoint(chief, below, other, ROLE_CHIEF)
    assert (appointed.team_id, appointed.employee_id, appointed.role) == (
        below,
        other.employee_id,
        ROLE_CHIEF,
    )


async def test_a_role_and_its_change_are_recorded_and_told_in_order(world: World) -> None:
    owner = await world.owner()
    team_id = await world.team(owner)
    worker = await world.hire(owner)
    first = await world.appoint(owner, team_id, worker, ROLE_MEMBER)
    second = await world.appoint(owner, team_id, worker, ROLE_CHIEF)
    assert (first.id, first.create_time) == (second.id, second.create_time)
    rows = await world.rows(
        "SELECT aggregate_id, aggregate_version, payload FROM wrtn_outbox"
        " WHERE subject LIKE '%%companion.appointed' AND tenant_id = %s ORDER BY id",
        owner.enterprise_id,
    )
    assert [(str(row[0]), row[1]) for row in rows] == [(first.id, 1), (first.id, 2)]
    assert [CompanionAppointed.FromString(row[2]).role for row in rows] == [ROLE_MEMBER, ROLE_CHIEF]
    request = ListAppointmentsRequest(enterprise_id=owner.enterprise_id, employee_id=worker.employee_id)
    records = (await world.employees.ListAppointments(request, metadata=owner.metadata)).appointments
    assert [(each.team_id, each.role_before, each.role_after) for each in records] == [
        (team_id, ROLE_MEMBER, ROLE_CHIEF),
        (team_id, ROLE_UNSPECIFIED, ROLE_MEMBER),
        ("", ROLE_UNSPECIFIED, ROLE_UNSPECIFIED),
    ]


async def test_the_role_that_one_has_already_leaves_no_record_and_no_gap(world: World) -> None:
    owner = await world.owner()
    team_id = await world.team(owner)
    worker = await world.hire(owner)
    first = await world.appoint(owner, team_id, worker, ROLE_MEMBER)
    before = await count_of_appointments(world, owner), len(await world.subjects(owner))
    assert await world.appoint(owner, team_id, worker, ROLE_MEMBER) == first
    assert (await count_of_appointments(world, owner), len(await world.subjects(owner))) == before


async def test_racing_appointments_of_one_employee_make_one_companion(world: World) -> None:
    owner = await world.owner()
    team_id = await world.team(owner)
    worker = await world.hire(owner)
    answers = await asyncio.gather(
        *(world.appoint(owner, team_id, worker, role) for role in (ROLE_MEMBER, ROLE_MANAGER, ROLE_CHIEF))
    )
    assert len({each.id for each in answers}) == 1
    assert await count_of_appointments(world, owner) == 5


async def test_a_role_that_is_taken_while_one_appoints_appoints_nobody(world: World) -> None:
    owner = await world.owner()
    team_id = await world.team(owner)
    chief, other = await world.hire(owner), await world.hire(owner)
    await world.appoint(owner, team_id, chief, ROLE_CHIEF)
    async with world.appointing(owner) as tx:
        racing = asyncio.ensure_future(world.appoint(chief, team_id, other, ROLE_MANAGER))
        await world.waits_for_a_lock()
        driver = await tx.driver()
        demotion = "UPDATE wrtn_companions SET role = 1 WHERE employee_id = %s"
        await driver.execute(demotion, (chief.employee_id,))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await racing
    assert refusal(refused.value) == ABOVE_RIGHT


async def test_foreign_teams_and_employees_look_like_missing_ones(world: World) -> None:
    owner, stranger = await world.owner(), await world.owner()
    team_id, foreign_team = await world.team(owner), await world.team(stranger)
    missing = str(world.clock.new_id())
    for named in (foreign_team, missing):
        appoint = AppointCompanionRequest(
            enterprise_id=owner.enterprise_id, team_id=named, employee_id=owner.employee_id, role=ROLE_MEMBER
        )
        get = GetTeamRequest(enterprise_id=owner.enterprise_id, team_id=named)
        companions = ListCompanionsRequest(enterprise_id=owner.enterprise_id, team_id=named)
        for call in (
            world.teams.AppointCompanion(appoint, metadata=owner.metadata),
            world.teams.GetTeam(get, metadata=owner.metadata),
            world.teams.ListCompanions(companions, metadata=owner.metadata),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call
            assert refusal(refused.value) == TEAM_NOT_FOUND
    for employee_id in (stranger.employee_id, missing):
        request = AppointCompanionRequest(
            enterprise_id=owner.enterprise_id, team_id=team_id, employee_id=employee_id, role=ROLE_MEMBER
        )
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await world.teams.AppointCompanion(request, metadata=owner.metadata)
        assert refusal(refused.value) == (grpc.StatusCode.NOT_FOUND, "EMPLOYEE_NOT_FOUND")


async def test_the_companions_of_a_team_are_listed_page_by_page(world: World) -> None:
    owner = await world.owner()
    team_id, other = await world.team(owner), await world.team(owner)
    workers = [await world.hire(owner) for _ in range(3)]
    for each in workers:
        await world.appoint(owner, team_id, each, ROLE_MEMBER)
    await world.appoint(owner, other, workers[0], ROLE_CHIEF)
    found: set[tuple[str, int]] = set()
    request = ListCompanionsRequest(enterprise_id=owner.enterprise_id, team_id=team_id, page_size=2)
    for _ in range(2):
        answer = await world.teams.ListCompanions(request, metadata=workers[0].metadata)
        found |= {(each.employee_id, each.role) for each in answer.companions}
        request.page_token = answer.next_page_token
    assert found == {(each.employee_id, ROLE_MEMBER) for each in workers}
    assert request.page_token == ""


async def test_one_takes_out_of_a_team_only_whom_one_could_appoint(world: World) -> None:
    owner = await world.owner()
    team = await world.team(owner)
    chief, manager, member = [await world.hire(owner) for _ in range(3)]
    await world.appoint(owner, team, chief, ROLE_CHIEF)
    await world.appoint(chief, team, manager, ROLE_MANAGER)
    await world.appoint(manager, team, member, ROLE_MEMBER)
    above = (grpc.StatusCode.PERMISSION_DENIED, "APPOINTMENT_ABOVE_RIGHT")
    assert await refused(world.remove(manager, team, chief)) == above
    assert await refused(world.remove(manager, team, manager)) == above
    assert await refused(world.remove(chief, team, chief)) == above
    await world.remove(manager, team, member, "Moved to Braga.")
    await world.remove(chief, team, manager)
    record = (await world.records(owner, member))[0]
    assert (record.team_id, record.role_before, record.role_after, record.reason) == (
        team,
        ROLE_MEMBER,
        ROLE_UNSPECIFIED,
        "Moved to Braga.",
    )
    assert (await world.resolve(member, team)).team.companion is False
    gone = (grpc.StatusCode.NOT_FOUND, "COMPANION_NOT_FOUND")
    assert await refused(world.remove(chief, team, member)) == gone
    assert (await world.subjects(owner))[-2:] == ["companion.removed"] * 2


async def test_everybody_may_leave_a_team_and_be_appointed_again(world: World) -> None:
    owner = await world.owner()
    team = await world.team(owner)
    chief = await world.hire(owner)
    first = await world.appoint(owner, team, chief, ROLE_CHIEF)
    await world.leave_team(chief, team)
    assert list((await world.resolve(chief)).teams) == []
    gone = (grpc.StatusCode.NOT_FOUND, "COMPANION_NOT_FOUND")
    assert await refused(world.leave_team(chief, team)) == gone
    listed = await world.teams.ListCompanions(
        ListCompanionsRequest(enterprise_id=owner.enterprise_id, team_id=team), metadata=owner.metadata
    )
    assert list(listed.companions) == []
    again = await world.appoint(owner, team, chief, ROLE_MEMBER)
    assert (again.id, again.role) == (first.id, ROLE_MEMBER)
    rows = await world.rows(
        "SELECT aggregate_version FROM wrtn_outbox WHERE subject LIKE '%%.companion.%%'"
        " AND tenant_id = %s ORDER BY id",
        owner.enterprise_id,
    )
    assert [row[0] for row in rows] == [1, 2, 3]
