"""ResolveAccess, as the peers ask it."""

from __future__ import annotations

import grpc
import pytest

from tests.enterprise.make import World, refusal
from wrtn.access.v1.access_pb2 import (
    ROLE_CHIEF,
    ROLE_MEMBER,
    ROLE_UNSPECIFIED,
    TITLE_MEMBER,
    TITLE_OWNER,
)
from wrtn.enterprise.v1.access_pb2 import Access, ResolveAccessRequest, TeamPlace, TeamRole


async def test_an_account_is_resolved_to_its_employee_roles_and_place(world: World) -> None:
    owner = await world.owner()
    top = await world.team(owner)
    below = await world.team(owner, top)
    elsewhere = await world.team(owner)
    worker = await world.hire(owner)
    await world.appoint(owner, top, worker, ROLE_CHIEF)
    await world.appoint(owner, elsewhere, worker, ROLE_MEMBER)
    request = ResolveAccessRequest(
        enterprise_id=owner.enterprise_id, account_id=worker.account_id, team_id=below
    )
    found = await world.access.ResolveAccess(request, metadata=world.peer)
    found.teams.sort(key=lambda each: each.role)
    assert found == Access(
        employee_id=worker.employee_id,
        member_id=str(worker.person.member_id),
        title=TITLE_MEMBER,
        teams=[TeamRole(team_id=elsewhere, role=ROLE_MEMBER), TeamRole(team_id=top, role=ROLE_CHIEF)],
        team=TeamPlace(team_id=below, ancestor_ids=[top], role=ROLE_CHIEF, companion=False),
    )


async def test_an_owner_without_a_role_has_a_place_without_one(world: World) -> None:
    owner = await world.owner()
    team_id = await world.team(owner)
    request = ResolveAccessRequest(
        enterprise_id=owner.enterprise_id, account_id=owner.account_id, team_id=team_id
    )
    found = await world.access.ResolveAccess(request, metadata=world.peer)
    assert (found.title, found.team.role, found.team.companion) == (TITLE_OWNER, ROLE_UNSPECIFIED, False)


async def test_what_is_unknown_or_foreign_is_answered_with_nothing(world: World) -> None:
    owner, stranger = await world.owner(), await world.owner()
    foreign_team = await world.team(stranger)
    unknown = str(world.clock.new_id())
    for enterprise_id, account_id in (
        (owner.enterprise_id, unknown),
        (unknown, owner.account_id),
        (stranger.enterprise_id, owner.account_id),
    ):
        request = ResolveAccessRequest(enterprise_id=enterprise_id, account_id=account_id)
        assert await world.access.ResolveAccess(request, metadata=world.peer) == Access()
    for team_id in (foreign_team, unknown):
        request = ResolveAccessRequest(
            enterprise_id=owner.enterprise_id, account_id=owner.account_id, team_id=team_id
        )
        found = await world.access.ResolveAccess(request, metadata=world.peer)
        assert found.title == TITLE_OWNER
        assert not found.HasField("team")


async def test_an_inherited_account_has_the_rights_of_its_holder_and_of_nobody_else(world: World) -> None:
    owner, stranger = await world.owner(), await world.owner()
    worker = await world.hire(owner)
    for member_id, title in (
        (worker.person.member_id, TITLE_MEMBER),
        (owner.person.member_id, TITLE_OWNER),
        (stranger.person.member_id, 0),
        (world.clock.new_id(), 0),
    ):
        request = ResolveAccessRequest(
            enterprise_id=owner.enterprise_id, account_id=owner.account_id, member_id=str(member_id)
        )
        found = await world.access.ResolveAccess(request, metadata=world.peer)
        assert found.title == title
        assert found.member_id == (str(member_id) if title else "")


async def test_only_peers_may_ask(world: World) -> None:
    owner = await world.owner()
    request = ResolveAccessRequest(enterprise_id=owner.enterprise_id, account_id=owner.account_id)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await world.access.ResolveAccess(request, metadata=owner.metadata)
    assert refusal(refused.value)[0] == grpc.StatusCode.PERMISSION_DENIED
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await world.access.ResolveAccess(request)
    assert refusal(refused.value)[0] == grpc.StatusCode.UNAUTHENTICATED
