"""What rights and moves cost: statements, whatever the size of the tree, and no waiting for one another."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from psycopg import AsyncCursor

from chassis.database import Scope
from services.enterprise.rights import access
from services.enterprise.store import tree
from services.enterprise.teams import moving
from tests.enterprise.make import Worker, World
from tests.enterprise.trees import grow
from wrtn.access.v1.access_pb2 import ROLE_CHIEF, TITLE_MEMBER
from wrtn.enterprise.v1.access_pb2 import ResolveAccessRequest
from wrtn.enterprise.v1.grants_pb2 import EFFECT_DENY, SetGrantRequest
from wrtn.enterprise.v1.teams_pb2 import MoveTeamRequest

MODEL = "model:vendor/large"
MOST = 10
"""How many statements a move takes at most, its record, audit entry and events included."""


@contextmanager
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Notes the statements of this task: the service's jobs run beside it."""
    said: list[str] = []
    task, execute = asyncio.current_task(), AsyncCursor.execute

    async def noted(cursor: AsyncCursor[Any], query: Any, *rest: Any, **more: Any) -> Any:
        if asyncio.current_task() is task:
            said.append(query.decode() if isinstance(query, bytes) else str(query))
        return await execute(cursor, query, *rest, **more)

    with monkeypatch.context() as patched:
        patched.setattr(AsyncCursor, "execute", noted)
        yield said


async def move(world: World, tx: Any, owner: Worker, team_id: str, parent: str) -> None:
    """Moves a team as the service does, in this transaction."""
    request = MoveTeamRequest(enterprise_id=owner.enterprise_id, team_id=team_id, parent_team_id=parent)
    await moving.move(tx, world.running.runtime.keyring, owner.person.member_id, request)


async def test_a_move_takes_as_many_statements_and_rows_for_one_team_as_for_a_thousand(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await world.owner()
    db, tenant_id = world.running.runtime.db, UUID(owner.enterprise_id)
    taken = []
    for deep, wide, size in ((1, 1, 1), (3, 10, 1110)):
        team_id, place = await world.team(owner), await world.team(owner)
        assert len(await grow(world, owner, team_id, deep=deep, wide=wide)) == size
        changes = "SELECT count(*) FROM wrtn_team_changes"
        (before,) = (await db.read(Scope.of(tenant_id), changes, {}))[0]
        with statements(monkeypatch) as said:
            async with db.transaction(Scope.of(tenant_id)) as tx:
                await move(world, tx, owner, team_id, place)
        taken.append(len(said))
        assert (await db.read(Scope.of(tenant_id), changes, {}))[0] == (before + 1,)
    assert taken[0] == taken[1] <= MOST, taken


async def test_a_move_that_takes_no_team_deeper_does_not_walk_down(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await world.owner()
    top = await world.team(owner)
    team_id = await world.team(owner, top)
    db = world.running.runtime.db
    walked = []
    for parent in ("", top):
        with statements(monkeypatch) as said:
            async with db.transaction(Scope.of(UUID(owner.enterprise_id))) as tx:
                await move(world, tx, owner, team_id, parent)
        walked.append(tree.HEIGHT in said)
    assert walked == [False, True]


async def test_what_a_move_asks_of_the_tree_is_found_by_indexes_whether_below_a_team_or_at_the_top(
    world: World,
) -> None:
    owner = await world.owner()
    team_id = UUID(await world.team(owner))
    # Of a few teams PostgreSQL reads all, whatever is asked.
    await grow(world, owner, str(team_id), deep=3, wide=10)
    values = {"tenant": UUID(owner.enterprise_id), "team": team_id, "deep": tree.MOST_DEEP}
    async with world.running.runtime.db.transaction(Scope.of(UUID(owner.enterprise_id))) as tx:
        driver = await tx.driver()
        for parent in (None, team_id):
            more = values | {"parent": parent, "teams": [parent] if parent else []}
            for statement in (tree.PLACE, tree.HEIGHT):
                plan = await driver.execute(b"EXPLAIN " + statement.encode(), more)
                lines = [row[0] for row in await plan.fetchall()]
                sifted = [line for line in lines if "Filter" in line and "parent_team_id" in line]
                assert not sifted, "\n".join(lines)


async def test_rights_are_resolved_while_a_move_is_not_committed_yet(world: World) -> None:
    owner = await world.owner()
    a, b = await world.team(owner), await world.team(owner)
    below, chief = await world.team(owner, a), await world.hire(owner)
    await world.appoint(owner, a, chief, ROLE_CHIEF)
    async with world.running.runtime.db.transaction(Scope.of(UUID(owner.enterprise_id))) as tx:
        await move(world, tx, owner, below, b)
        await (await tx.driver()).execute("SELECT 1")
        async with asyncio.timeout(10):
            found = await world.resolve(chief, below, MODEL)
        assert (found.team.role, list(found.team.ancestor_ids), found.granted) == (ROLE_CHIEF, [a], True)
    found = await world.resolve(chief, below, MODEL)
    assert (found.team.role, list(found.team.ancestor_ids)) == (0, [b])


async def test_a_cold_check_of_who_where_and_what_is_one_question_to_the_database(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await world.owner()
    team_id, worker = await world.team(owner), await world.hire(owner)
    await world.appoint(owner, team_id, worker, ROLE_CHIEF)
    request = SetGrantRequest(
        enterprise_id=owner.enterprise_id,
        team_id=team_id,
        resource="model:vendor/*",
        effect=EFFECT_DENY,
    )
    await world.grants.SetGrant(request, metadata=owner.metadata)
    resolve = access.source(world.running.runtime.db)
    asked = ResolveAccessRequest(
        enterprise_id=owner.enterprise_id,
        account_id=worker.account_id,
        member_id=str(worker.person.member_id),
        team_id=team_id,
        resource=MODEL,
    )
    with statements(monkeypatch) as said:
        found = await resolve(asked)
    assert (found.title, found.granted, found.team.role) == (TITLE_MEMBER, False, ROLE_CHIEF)
    assert [each.split()[0] for each in said] == ["BEGIN", "SELECT", "WITH", "COMMIT"], said
