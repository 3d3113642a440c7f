"""Teams are renamed, moved, ordered, archived and restored."""

from __future__ import annotations

import asyncio
from itertools import permutations

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.enterprise.store.tree import MOST_DEEP
from tests.enterprise.make import Worker, World, refusal, refused
from tests.enterprise.trees import grow
from wrtn.access.v1.access_pb2 import (
    ROLE_CHIEF,
    ROLE_MANAGER,
    ROLE_MEMBER,
    ROLE_UNSPECIFIED,
    TITLE_MANAGER,
    Role,
)
from wrtn.enterprise.v1.events_pb2 import TeamArchived, TeamMoved
from wrtn.enterprise.v1.teams_pb2 import TEAM_STATE_ACTIVE, TEAM_STATE_ARCHIVED, GetTeamRequest, Team

FAILED = grpc.StatusCode.FAILED_PRECONDITION
ABOVE = (grpc.StatusCode.PERMISSION_DENIED, "TEAM_ABOVE_RIGHT")
NOT_ADMITTED = (grpc.StatusCode.PERMISSION_DENIED, "NOT_ADMITTED")
NO_TEAM = (grpc.StatusCode.NOT_FOUND, "TEAM_NOT_FOUND")
MISMATCH = (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")


async def get(world: World, by: Worker, team_id: str) -> Team:
    request = GetTeamRequest(enterprise_id=by.enterprise_id, team_id=team_id)
    return await world.teams.GetTeam(request, metadata=by.metadata)


async def test_a_team_moves_with_all_below_it_and_tells_from_where_to_where(world: World) -> None:
    owner = await world.owner()
    a, b = await world.team(owner), await world.team(owner)
    below = await world.team(owner, a)
    deep = await world.team(owner, below)
    moved = await world.move(owner, below, b)
    assert list(moved.ancestor_ids) == [b]
    assert list((await get(world, owner, deep)).ancestor_ids) == [below, b]
    ((payload, version),) = await world.rows(
        "SELECT payload, aggregate_version FROM wrtn_outbox WHERE subject LIKE '%%.team.moved'"
        " AND tenant_id = %s",
        owner.enterprise_id,
    )
    told = TeamMoved.FromString(payload)
    assert (list(told.old_ancestor_ids), list(told.ancestor_ids), version) == ([a], [b], 2)
    assert list((await world.move(owner, below)).ancestor_ids) == []


async def test_a_role_follows_the_tree_when_a_team_moves(world: World) -> None:
    owner = await world.owner()
    a, b = await world.team(owner), await world.team(owner)
    below, chief = await world.team(owner, a), await world.hire(owner)
    await world.appoint(owner, a, chief, ROLE_CHIEF)
    assert (await world.resolve(chief, below)).team.role == ROLE_CHIEF
    await world.move(owner, below, b)
    assert (await world.resolve(chief, below)).team.role == ROLE_UNSPECIFIED


async def test_no_team_stands_below_itself(world: World) -> None:
    owner = await world.owner()
    a = await world.team(owner)
    b = await world.team(owner, a)
    c = await world.team(owner, b)
    for parent in (a, b, c):
        assert await refused(world.move(owner, a, parent)) == (FAILED, "TEAM_CYCLE")
    assert list((await get(world, owner, c)).ancestor_ids) == [b, a]
    assert "team.moved" not in await world.subjects(owner)


@pytest.mark.parametrize("attempt", range(3))
async def test_two_who_move_two_teams_under_each_other_at_once_make_no_circle(
    world: World, attempt: int
) -> None:
    owner = await world.owner()
    a, b = await world.team(owner), await world.team(owner)
    async with world.appointing(owner):
        racing = asyncio.gather(world.move(owner, a, b), world.move(owner, b, a), return_exceptions=True)
        await world.waits_for_a_lock(2)
    answers = await racing
    assert sum(isinstance(each, grpc.aio.AioRpcError) for each in answers) == 1
    lines = [len((await get(world, owner, each)).ancestor_ids) for each in (a, b)]
    assert sorted(lines) == [0, 1]


async def test_a_subtree_does_not_move_to_where_it_would_stand_too_deep(world: World) -> None:
    owner = await world.owner()
    line = await grow(world, owner, await world.team(owner), deep=MOST_DEEP - 2)
    top = await world.team(owner)
    await world.team(owner, top)
    assert await refused(world.move(owner, top, line[-1])) == (FAILED, "TEAM_TOO_DEEP")
    await world.move(owner, top, line[-2])


async def test_siblings_stand_in_the_order_that_was_given_them(world: World) -> None:
    owner = await world.owner()
    parent = await world.team(owner)
    teams = [await world.team(owner, parent) for _ in range(4)]
    a, b, c, d = teams
    assert await world.children(owner, parent) == teams
    await world.move(owner, d, parent, before=a)
    assert await world.children(owner, parent, page_size=1) == [d, a, b, c]
    await world.move(owner, d, parent, behind=b)
    assert await world.children(owner, parent, page_size=3) == [a, b, d, c]
    await world.move(owner, a, parent)
    assert await world.children(owner, parent) == [b, d, c, a]
    version = (await get(world, owner, a)).etag
    await world.move(owner, a, parent, behind=c)
    assert (await get(world, owner, a)).etag == version
    top = await world.team(owner)
    await world.move(owner, top, before=parent)
    assert await world.children(owner) == [top, parent]


async def test_a_gap_that_is_used_up_is_made_anew(world: World) -> None:
    owner = await world.owner()
    a, b, c = [await world.team(owner) for _ in range(3)]
    for _ in range(18):
        await world.move(owner, c, before=b)
        await world.move(owner, b, before=c)
    assert await world.children(owner) == [a, b, c]


async def test_every_order_of_siblings_can_be_made(world: World) -> None:
    owner = await world.owner()
    parent = await world.team(owner)
    teams = [await world.team(owner, parent) for _ in range(3)]
    for wanted in permutations(teams):
        for team in wanted:
            await world.move(owner, team, parent)
        assert await world.children(owner, parent) == list(wanted)


async def test_a_sibling_that_stands_elsewhere_is_not_found(world: World) -> None:
    owner, stranger = await world.owner(), await world.owner()
    a, b = await world.team(owner), await world.team(owner)
    below, foreign = await world.team(owner, a), await world.team(stranger)
    gone = (grpc.StatusCode.NOT_FOUND, "SIBLING_NOT_FOUND")
    for sibling in (a, foreign, below):
        assert await refused(world.move(owner, below, b, before=sibling)) == gone
        assert await refused(world.move(owner, below, b, behind=sibling)) == gone


async def test_a_foreign_and_a_missing_team_or_parent_look_the_same(world: World) -> None:
    owner, stranger = await world.owner(), await world.owner()
    own, foreign = await world.team(owner), await world.team(stranger)
    for unknown in (foreign, str(world.clock.new_id())):
        assert await refused(world.move(owner, own, unknown)) == NO_TEAM
        for act in (world.move, world.archive, world.restore):
            assert await refused(act(owner, unknown)) == NO_TEAM
        assert await refused(world.rename(owner, unknown, "Mine")) == NO_TEAM


async def test_renaming_tells_and_an_old_etag_changes_nothing(world: World) -> None:
    owner = await world.owner()
    team = await world.team(owner)
    seen = (await get(world, owner, team)).etag
    renamed = await world.rename(owner, team, "Trams", seen)
    assert (renamed.display_name, renamed.etag != seen) == ("Trams", True)
    for act in (
        world.rename(owner, team, "Buses", seen),
        world.move(owner, team, etag=seen),
        world.archive(owner, team, seen),
    ):
        assert await refused(act) == MISMATCH
    assert (await get(world, owner, team)).display_name == "Trams"
    assert (await world.subjects(owner))[-1] == "team.renamed"
    archived = await world.archive(owner, team)
    assert await refused(world.restore(owner, team, seen)) == MISMATCH
    await world.restore(owner, team, archived.etag)


async def test_an_archived_team_takes_all_below_it_and_gives_nobody_rights(world: World) -> None:
    owner = await world.owner()
    top = await world.team(owner)
    below = await world.team(owner, top)
    deep, chief, worker = await world.team(owner, below), await world.hire(owner), await world.hire(owner)
    await world.appoint(owner, below, chief, ROLE_CHIEF)
    await world.appoint(owner, deep, worker, ROLE_MEMBER)
    archived = await world.archive(owner, below)
    assert archived.state == TEAM_STATE_ARCHIVED
    assert (await get(world, owner, deep)).state == TEAM_STATE_ARCHIVED
    assert (await get(world, owner, top)).state == TEAM_STATE_ACTIVE
    for who in (chief, worker):
        access = await world.resolve(who, deep)
        assert (list(access.teams), access.HasField("team")) == ([], False)
    assert await world.children(owner, top) == []
    ((payload,),) = await world.rows(
        "SELECT payload FROM wrtn_outbox WHERE subject LIKE '%%.archived' AND tenant_id = %s",
        owner.enterprise_id,
    )
    assert TeamArchived.FromString(payload).team_id == below
    restored = await world.restore(owner, below)
    assert restored.state == TEAM_STATE_ACTIVE
    assert (await world.resolve(chief, deep)).team.role == ROLE_CHIEF
    assert (await world.resolve(worker, deep)).team.companion


async def test_what_was_archived_before_stays_archived_when_the_team_above_is_restored(world: World) -> None:
    owner = await world.owner()
    top = await world.team(owner)
    first, second = await world.team(owner, top), await world.team(owner, top)
    await world.archive(owner, first)
    await world.archive(owner, top)
    assert await refused(world.restore(owner, first)) == (FAILED, "TEAM_ARCHIVED")
    assert await refused(world.restore(owner, second)) == (FAILED, "TEAM_ARCHIVED")
    await world.restore(owner, top)
    assert (await get(world, owner, first)).state == TEAM_STATE_ARCHIVED
    assert (await get(world, owner, second)).state == TEAM_STATE_ACTIVE
    await world.restore(owner, first)
    assert await refused(world.restore(owner, first)) == (FAILED, "TEAM_ACTIVE")


async def test_nothing_happens_in_an_archived_team(world: World) -> None:
    owner = await world.owner()
    archived, other, worker = await world.team(owner), await world.team(owner), await world.hire(owner)
    await world.appoint(owner, archived, worker, ROLE_MEMBER)
    await world.archive(owner, archived)
    for act in (
        world.rename(owner, archived, "Late"),
        world.move(owner, archived, other),
        world.move(owner, other, archived),
        world.team(owner, archived),
        world.archive(owner, archived),
    ):
        assert await refused(act) == (FAILED, "TEAM_ARCHIVED")
    assert await refused(world.appoint(owner, archived, worker, ROLE_CHIEF)) == NO_TEAM


@pytest.mark.parametrize("role", [ROLE_UNSPECIFIED, ROLE_MEMBER, ROLE_MANAGER, ROLE_CHIEF])
async def test_sub_teams_are_kept_by_chiefs_above_alone(world: World, role: Role.ValueType) -> None:
    owner = await world.owner()
    top, elsewhere = await world.team(owner), await world.team(owner)
    below = await world.team(owner, top)
    deep, companion = await world.team(owner, below), await world.hire(owner)
    if role:
        await world.appoint(owner, below, companion, role)
    if role != ROLE_CHIEF:
        for act in (
            world.team(companion, below),
            world.move(companion, deep, below),
            world.archive(companion, deep),
            world.rename(companion, deep, "Mine"),
            world.restore(companion, deep),
        ):
            assert await refused(act) == NOT_ADMITTED
        return
    own = await world.team(companion, below)
    await world.move(companion, own, deep)
    await world.rename(companion, below, "Ours")
    await world.archive(companion, own)
    # Their own team is for those above, and so is every place outside.
    for act in (world.move(companion, below, below), world.archive(companion, below)):
        assert await refused(act) == ABOVE
    for parent in ("", elsewhere, top):
        assert await refused(world.move(companion, deep, parent)) == ABOVE
    assert await refused(world.team(companion, top)) == NOT_ADMITTED
    assert await refused(world.restore(companion, own)) == NOT_ADMITTED


async def test_managers_of_the_enterprise_keep_every_team(world: World) -> None:
    owner = await world.owner()
    manager = await world.hire(owner, TITLE_MANAGER)
    a, b = await world.team(manager), await world.team(manager)
    await world.move(manager, b, a)
    await world.archive(manager, a)
    await world.restore(manager, a)


MOVES = st.lists(
    st.tuples(*(st.integers(0, 5), st.integers(-1, 5)) * 2).map(lambda each: (each[:2], each[2:])),
    min_size=1,
    max_size=6,
)


# Hypothesis hides that it is a coroutine, so it says itself in which loop its world lives.
@pytest.mark.asyncio(loop_scope="module")
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(pairs=MOVES)
async def test_however_teams_are_moved_two_at_a_time_the_tree_stays_one(
    world: World, pairs: list[tuple[tuple[int, int], tuple[int, int]]]
) -> None:
    owner = await world.owner()
    teams = [await world.team(owner) for _ in range(6)]
    for pair in pairs:
        answers = await asyncio.gather(
            *(world.move(owner, teams[number], teams[to] if to >= 0 else "") for number, to in pair),
            return_exceptions=True,
        )
        lost = {refusal(each) for each in answers if isinstance(each, grpc.aio.AioRpcError)}
        assert lost <= {(FAILED, "TEAM_CYCLE")}
    found = {team_id: await get(world, owner, team_id) for team_id in teams}
    parents = {team_id: each.parent_team_id for team_id, each in found.items()}
    for team_id, each in found.items():
        line: list[str] = []
        at = parents[team_id]
        while at:
            assert at not in line, "a circle"
            line.append(at)
            at = parents[at]
        assert list(each.ancestor_ids) == line
    assert {each: told_parent(await moves_of(world, each)) for each in teams} == parents


async def moves_of(world: World, team_id: str) -> list[TeamMoved]:
    """Answers the moves of a team, by the versions of their events."""
    rows = await world.rows(
        "SELECT payload FROM wrtn_outbox WHERE subject LIKE '%%.team.moved' AND aggregate_id = %s"
        " ORDER BY aggregate_version",
        team_id,
    )
    return [TeamMoved.FromString(row[0]) for row in rows]


def told_parent(moves: list[TeamMoved]) -> str:
    """Answers the parent that one knows who only hears the events."""
    return moves[-1].ancestor_ids[0] if moves and moves[-1].ancestor_ids else ""
