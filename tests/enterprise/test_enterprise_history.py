"""What was so at a past moment: random acts, and then every answer against what was so when it happened."""

from __future__ import annotations

import copy
import random
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

import grpc
import pytest

from chassis import timestamps
from chassis.testing.clocks import MovableClock
from tests.enterprise.make import Worker, World, refused
from wrtn.access.v1.access_pb2 import (
    DUTY_BILLING,
    DUTY_SECURITY,
    ROLE_CHIEF,
    ROLE_MANAGER,
    ROLE_MEMBER,
    TITLE_MANAGER,
    TITLE_MEMBER,
)
from wrtn.enterprise.v1 import history_pb2 as pb
from wrtn.enterprise.v1.employees_pb2 import HireEmployeeRequest, ListAppointmentsRequest

Deputyship = tuple[str, str, str]
"""Who stands in for whom, in which team."""


def pass_time(world: World, seconds: float) -> None:
    cast("MovableClock", world.clock).ahead += timedelta(seconds=seconds)


@dataclass
class Model:
    """The enterprise, as somebody remembers it who saw every act."""

    parents: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    archived: dict[str, str] = field(default_factory=dict)
    titles: dict[str, int] = field(default_factory=dict)
    duties: dict[str, list[int]] = field(default_factory=dict)
    roles: dict[tuple[str, str], int] = field(default_factory=dict)
    deputies: dict[Deputyship, datetime] = field(default_factory=dict)

    def below(self, team_id: str) -> set[str]:
        """Answers the team and all below it."""
        found = {team_id}
        while more := {each for each, parent in self.parents.items() if parent in found} - found:
            found |= more
        return found

    def forget(self, employee: str) -> None:
        """Ends everything of the employee's."""
        self.titles[employee], self.duties[employee] = 0, []
        self.roles = {key: role for key, role in self.roles.items() if key[0] != employee}
        self.deputies = {key: end for key, end in self.deputies.items() if employee not in key[:2]}

    def give(self, employee: str, team_id: str, role: int) -> None:
        """Gives the role, or takes it; a deputy of a former one stands in no more."""
        if self.roles.get((employee, team_id), 0) != role:
            self.deputies = {key: end for key, end in self.deputies.items() if key[1:] != (employee, team_id)}
        if role:
            self.roles[employee, team_id] = role
        else:
            self.roles.pop((employee, team_id), None)


class Play:
    """Plays random acts, and remembers what was so after each."""

    def __init__(self, world: World, owner: Worker, chance: random.Random) -> None:
        self.world = world
        self.owner = owner
        self.chance = chance
        self.model = Model()
        self.people: list[Worker] = []
        self.teams: list[str] = []
        self.seen: list[tuple[datetime, Model]] = []

    async def begin(self) -> None:
        for _ in range(3):
            self.people.append(await self.world.hire(self.owner))
            self.model.titles[self.people[-1].employee_id] = TITLE_MEMBER
        for _ in range(3):
            await self.make_team()

    async def run(self, acts: int) -> None:
        verbs = [
            self.make_team,
            self.move,
            self.move,
            self.rename,
            self.archive,
            self.restore,
            self.appoint,
            self.appoint,
            self.appoint,
            self.remove,
            self.retitle,
            self.entrust,
            self.dismiss,
            self.deputise,
        ]
        for _ in range(acts):
            pass_time(self.world, 2)
            await self.chance.choice(verbs)()
            pass_time(self.world, 2)
            self.seen.append((self.world.clock.now(), copy.deepcopy(self.model)))

    def person(self) -> Worker:
        return self.chance.choice(self.people)

    def team(self) -> str:
        return self.chance.choice(self.teams)

    async def done(self, call: Awaitable[object]) -> bool:
        """Whether the act was allowed; what is refused changes nothing, and so the model neither."""
        try:
            await call
        except grpc.aio.AioRpcError as error:
            if error.code() not in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND):
                raise
            return False
        return True

    async def make_team(self) -> None:
        parent = self.team() if self.teams and self.chance.random() < 0.6 else ""
        if parent in self.model.archived:
            return
        made = await self.world.team(self.owner, parent)
        self.teams.append(made)
        self.model.parents[made], self.model.names[made] = parent, "Team"

    async def move(self) -> None:
        team, parent = self.team(), self.chance.choice(["", *self.teams])
        if await self.done(self.world.move(self.owner, team, parent)):
            self.model.parents[team] = parent

    async def rename(self) -> None:
        team, name = self.team(), f"Team {self.chance.random()}"
        if await self.done(self.world.rename(self.owner, team, name)):
            self.model.names[team] = name

    async def archive(self) -> None:
        team = self.team()
        if await self.done(self.world.archive(self.owner, team)):
            for each in self.model.below(team) - set(self.model.archived):
                self.model.archived[each] = team

    async def restore(self) -> None:
        team = self.team()
        if await self.done(self.world.restore(self.owner, team)):
            self.model.archived = {each: by for each, by in self.model.archived.items() if by != team}

    async def appoint(self) -> None:
        whom, team = self.person(), self.team()
        role = self.chance.choice([ROLE_MEMBER, ROLE_MANAGER, ROLE_CHIEF])
        if await self.done(self.world.appoint(self.owner, team, whom, role)):
            self.model.give(whom.employee_id, team, role)

    async def remove(self) -> None:
        whom, team = self.person(), self.team()
        if await self.done(self.world.remove(self.owner, team, whom)):
            self.model.give(whom.employee_id, team, 0)

    async def retitle(self) -> None:
        whom, title = self.person(), self.chance.choice([TITLE_MEMBER, TITLE_MANAGER])
        employee = whom.employee_id
        if await self.done(self.world.promote(self.owner, whom, title)):
            if title != self.model.titles[employee]:
                self.model.duties[employee] = []
                self.model.deputies = {
                    key: end for key, end in self.model.deputies.items() if key[1:] != (employee, "")
                }
            self.model.titles[employee] = title

    async def entrust(self) -> None:
        whom = self.person()
        duties = self.chance.sample([DUTY_BILLING, DUTY_SECURITY], self.chance.randint(0, 2))
        if await self.done(self.world.entrust(self.owner, whom, *duties)):
            self.model.duties[whom.employee_id] = sorted(int(each) for each in duties)

    async def dismiss(self) -> None:
        whom = self.person()
        if self.model.titles[whom.employee_id]:
            await self.world.dismiss(self.owner, whom)
            self.model.forget(whom.employee_id)
            return
        request = HireEmployeeRequest(
            enterprise_id=self.owner.enterprise_id,
            member_id=str(whom.person.member_id),
            title=TITLE_MEMBER,
        )
        await self.world.employees.HireEmployee(request, metadata=self.owner.metadata)
        self.model.titles[whom.employee_id] = TITLE_MEMBER

    async def deputise(self) -> None:
        whom, absent = self.chance.sample(self.people, 2)
        team = self.chance.choice(["", *self.teams])
        days = self.chance.choice([10, 60]) / 86_400
        call = self.world.deputise(self.owner, whom, absent, team, days=days)
        try:
            made = await call
        except grpc.aio.AioRpcError:
            return
        end = made.end_time.ToDatetime(tzinfo=self.world.clock.now().tzinfo)
        self.model.deputies[whom.employee_id, absent.employee_id, team] = end


async def chart(world: World, by: Worker, at: datetime) -> dict[str, pb.TeamAt]:
    request = pb.ListTeamsAtRequest(enterprise_id=by.enterprise_id, at_time=timestamps.of(at), page_size=2)
    found: dict[str, pb.TeamAt] = {}
    while True:
        answer = await world.history.ListTeamsAt(request, metadata=by.metadata)
        found |= {each.team_id: each for each in answer.teams}
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


async def person_at(world: World, by: Worker, employee_id: str, at: datetime) -> pb.EmployeeAt:
    request = pb.GetEmployeeAtRequest(
        enterprise_id=by.enterprise_id, employee_id=employee_id, at_time=timestamps.of(at)
    )
    return await world.history.GetEmployeeAt(request, metadata=by.metadata)


async def companions(world: World, by: Worker, team_id: str, at: datetime) -> set[tuple[str, int, str]]:
    request = pb.ListCompanionsAtRequest(
        enterprise_id=by.enterprise_id, team_id=team_id, at_time=timestamps.of(at), page_size=1
    )
    found: set[tuple[str, int, str]] = set()
    while True:
        answer = await world.history.ListCompanionsAt(request, metadata=by.metadata)
        found |= {(each.employee_id, each.role, each.absent_employee_id) for each in answer.companions}
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


@pytest.mark.parametrize("seed", range(3))
async def test_every_past_moment_is_answered_as_it_was(world: World, seed: int) -> None:
    play = Play(world, await world.owner(), random.Random(seed))
    await play.begin()
    await play.run(40)
    for at, then in play.chance.sample(play.seen, 12):
        await compare_chart(play, at, then)
        for who in play.people:
            await compare_person(play, who.employee_id, at, then)
        for team in play.teams:
            await compare_team(play, team, at, then)


async def compare_chart(play: Play, at: datetime, then: Model) -> None:
    found = await chart(play.world, play.owner, at)
    live = {each for each in then.parents if each not in then.archived}
    assert {each: team.parent_team_id for each, team in found.items()} == {
        each: then.parents[each] for each in live
    }
    for each, team in found.items():
        assert team.display_name == then.names[each]
        chiefs = {who for (who, where), role in then.roles.items() if where == each and role == ROLE_CHIEF}
        assert set(team.chief_employee_ids) == chiefs


async def compare_person(play: Play, employee_id: str, at: datetime, then: Model) -> None:
    found = await person_at(play.world, play.owner, employee_id, at)
    assert found.title == then.titles[employee_id]
    assert list(found.duties) == then.duties.get(employee_id, [])
    assert {each.team_id: each.role for each in found.roles} == {
        team: role for (who, team), role in then.roles.items() if who == employee_id
    }
    assert {(each.absent_employee_id, each.team_id) for each in found.deputies} == {
        (absent, team)
        for (who, absent, team), end in then.deputies.items()
        if who == employee_id and end > at
    }


async def compare_team(play: Play, team_id: str, at: datetime, then: Model) -> None:
    own = {(who, role, "") for (who, team), role in then.roles.items() if team == team_id}
    lent = {
        (who, then.roles[absent, team], absent)
        for (who, absent, team), end in then.deputies.items()
        if team == team_id and end > at
    }
    assert await companions(play.world, play.owner, team_id, at) == own | lent


async def test_the_history_of_a_team_is_paged_with_what_was_before(world: World) -> None:
    owner = await world.owner()
    parent, team = await world.team(owner), await world.team(owner)
    await world.rename(owner, team, "Trams")
    await world.move(owner, team, parent)
    await world.archive(owner, parent)
    await world.restore(owner, parent)
    request = pb.ListTeamChangesRequest(enterprise_id=owner.enterprise_id, team_id=team, page_size=2)
    changes: list[pb.TeamChange] = []
    while True:
        answer = await world.history.ListTeamChanges(request, metadata=owner.metadata)
        changes += answer.team_changes
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
    kinds = pb.TeamChange
    assert [each.kind for each in changes] == [
        kinds.KIND_RESTORED,
        kinds.KIND_ARCHIVED,
        kinds.KIND_MOVED,
        kinds.KIND_RENAMED,
        kinds.KIND_CREATED,
    ]
    moved, renamed = changes[2], changes[3]
    assert (moved.old_parent_team_id, moved.parent_team_id) == ("", parent)
    assert (renamed.old_display_name, renamed.display_name) == ("Team", "Trams")
    assert {each.decider_employee_id for each in changes} == {owner.employee_id}
    sequences = [each.sequence for each in changes]
    assert sequences == sorted(sequences, reverse=True)


async def test_the_appointments_of_one_team_are_listed(world: World) -> None:
    owner = await world.owner()
    team, other, worker = await world.team(owner), await world.team(owner), await world.hire(owner)
    await world.appoint(owner, team, worker, ROLE_MEMBER)
    await world.appoint(owner, other, worker, ROLE_MEMBER)
    request = ListAppointmentsRequest(enterprise_id=owner.enterprise_id, team_id=team)
    answer = await world.employees.ListAppointments(request, metadata=owner.metadata)
    assert [each.team_id for each in answer.appointments] == [team]


async def test_the_past_of_others_is_not_found(world: World) -> None:
    owner, stranger = await world.owner(), await world.owner()
    team, now = await world.team(stranger), world.clock.now()
    for team_id in (team, str(world.clock.new_id())):
        gone = (grpc.StatusCode.NOT_FOUND, "TEAM_NOT_FOUND")
        assert await refused(companions(world, owner, team_id, now)) == gone
        request = pb.ListTeamChangesRequest(enterprise_id=owner.enterprise_id, team_id=team_id)
        assert await refused(world.history.ListTeamChanges(request, metadata=owner.metadata)) == gone
    missing = person_at(world, owner, stranger.employee_id, now)
    assert await refused(missing) == (grpc.StatusCode.NOT_FOUND, "EMPLOYEE_NOT_FOUND")


@pytest.mark.parametrize("table", ["wrtn_team_changes", "wrtn_enterprise_states", "wrtn_appointments"])
async def test_the_database_refuses_to_alter_what_was(world: World, table: str) -> None:
    owner = await world.owner()
    for statement in (f"UPDATE {table} SET create_time = now()", f"DELETE FROM {table}"):
        with pytest.raises(Exception, match=r"insert-only|permission denied"):
            async with world.appointing(owner) as tx:
                await (await tx.driver()).execute(statement.encode())
