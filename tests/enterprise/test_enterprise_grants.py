"""Grants over the real service: who sets which, what holds where, and what is recorded."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID

import grpc
import pytest
import pytest_asyncio

from chassis.database import Scope
from tests.enterprise.make import Worker, World, refusal
from wrtn.access.v1.access_pb2 import ROLE_CHIEF, ROLE_MANAGER, ROLE_MEMBER, TITLE_MANAGER
from wrtn.enterprise.v1 import grants_pb2 as pb
from wrtn.enterprise.v1.grants_pb2 import (
    EFFECT_ALLOW,
    EFFECT_DENY,
    EFFECT_UNSPECIFIED,
    GRANT_LAYER_DEFAULT,
    GRANT_LAYER_ENTERPRISE,
    GRANT_LAYER_TEAM,
)

GPT = "model:openai/gpt-4.1"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def world(shared: World) -> World:
    """The running service."""
    return shared


@dataclass(frozen=True)
class Firm:
    """An enterprise with a team below a team, and people in them."""

    world: World
    owner: Worker
    manager: Worker
    top: str
    team: str
    chief: Worker
    """Chief of the top team."""
    lead: Worker
    """Manager of the team below."""
    worker: Worker
    """Member of the team below."""

    @property
    def scope(self) -> Scope:
        """What a transaction in the enterprise may see."""
        return Scope.of(UUID(self.owner.enterprise_id))

    async def set(
        self,
        effect: pb.Effect.ValueType,
        resource: str = GPT,
        *,
        team: str = "",
        by: Worker | None = None,
        locked: bool = False,
        request_id: str = "",
    ) -> pb.Grant:
        """Sets a grant of the enterprise, by its manager unless another is given."""
        request = pb.SetGrantRequest(
            enterprise_id=self.owner.enterprise_id,
            team_id=team,
            resource=resource,
            effect=effect,
            locked=locked,
            reason="Because.",
            request_id=request_id,
        )
        return await self.world.grants.SetGrant(request, metadata=(by or self.manager).metadata)

    async def clear(self, resource: str = GPT, *, team: str = "", by: Worker | None = None) -> None:
        """Takes a grant of the enterprise back."""
        request = pb.ClearGrantRequest(
            enterprise_id=self.owner.enterprise_id, team_id=team, resource=resource
        )
        await self.world.grants.ClearGrant(request, metadata=(by or self.manager).metadata)

    async def deny(self, by: Worker, team: str, resource: str = GPT) -> pb.Grant:
        """Sets a team's own deny."""
        request = pb.DenyInTeamRequest(
            enterprise_id=self.owner.enterprise_id, team_id=team, resource=resource
        )
        return await self.world.grants.DenyInTeam(request, metadata=by.metadata)

    async def lift(self, by: Worker, team: str, resource: str = GPT) -> None:
        """Lifts a team's own deny."""
        request = pb.LiftInTeamRequest(
            enterprise_id=self.owner.enterprise_id, team_id=team, resource=resource
        )
        await self.world.grants.LiftInTeam(request, metadata=by.metadata)

    async def default(self, effect: pb.Effect.ValueType, kind: str = "model") -> pb.GrantDefault:
        """Sets the default of a kind."""
        request = pb.SetGrantDefaultRequest(
            enterprise_id=self.owner.enterprise_id, kind=kind, effect=effect, reason="Sparing."
        )
        return await self.world.grants.SetGrantDefault(request, metadata=self.owner.metadata)

    async def granted(self, team: str = "", resource: str = GPT, whom: Worker | None = None) -> bool:
        """Says whether the worker may use the resource, as the peers are told."""
        return (await self.world.resolve(whom or self.worker, team, resource)).granted

    async def explain(
        self, by: Worker, *, team: str = "", whom: Worker | None = None, resource: str = GPT
    ) -> pb.ExplainGrantResponse:
        """Asks why."""
        request = pb.ExplainGrantRequest(
            enterprise_id=by.enterprise_id,
            employee_id=whom.employee_id if whom else "",
            team_id=team,
            resource=resource,
        )
        return await self.world.grants.ExplainGrant(request, metadata=by.metadata)

    async def changes(self, by: Worker, team: str = "", **page: object) -> pb.ListGrantChangesResponse:
        """Lists the changes."""
        request = pb.ListGrantChangesRequest(
            enterprise_id=by.enterprise_id,
            team_id=team,
            **page,  # type: ignore[arg-type]
        )
        return await self.world.grants.ListGrantChanges(request, metadata=by.metadata)


async def firm_of(world: World) -> Firm:
    """Makes the enterprise."""
    owner = await world.owner()
    manager = await world.hire(owner, TITLE_MANAGER)
    top = await world.team(owner)
    team = await world.team(owner, top)
    people = [await world.hire(owner) for _ in range(3)]
    for place, person, role in zip(
        (top, team, team), people, (ROLE_CHIEF, ROLE_MANAGER, ROLE_MEMBER), strict=True
    ):
        await world.appoint(owner, place, person, role)
    return Firm(world, owner, manager, top, team, *people)


@pytest_asyncio.fixture(loop_scope="module")
async def firm(world: World) -> Firm:
    return await firm_of(world)


async def test_everything_may_be_used_until_an_enterprise_says_otherwise(firm: Firm) -> None:
    assert await firm.granted()
    assert await firm.granted(firm.team, "procedure:any")


async def test_the_nearest_place_upward_decides_and_no_team_counts_the_enterprise_alone(firm: Firm) -> None:
    await firm.set(EFFECT_DENY)
    await firm.set(EFFECT_ALLOW, team=firm.top)
    assert (await firm.granted(firm.team), await firm.granted()) == (True, False)
    await firm.set(EFFECT_DENY, "model:*", team=firm.team)
    assert (await firm.granted(firm.team), await firm.granted(firm.top)) == (False, True)
    await firm.clear("model:*", team=firm.team)
    assert await firm.granted(firm.team)


async def test_a_default_holds_where_nothing_is_set(firm: Firm) -> None:
    await firm.default(EFFECT_DENY)
    assert (await firm.granted(firm.team), await firm.granted(firm.team, "procedure:any")) == (False, True)
    await firm.set(EFFECT_ALLOW, "model:openai/*", team=firm.top)
    assert (await firm.granted(firm.team), await firm.granted(firm.team, "model:else/x")) == (True, False)


async def test_a_locked_deny_of_the_enterprise_wins_over_everything(firm: Firm) -> None:
    await firm.set(EFFECT_ALLOW, team=firm.team)
    await firm.set(EFFECT_DENY, "model:openai/*", locked=True)
    assert not await firm.granted(firm.team)
    await firm.set(EFFECT_DENY, "model:openai/*")
    assert await firm.granted(firm.team)


@pytest.mark.parametrize("effect", [EFFECT_ALLOW, EFFECT_DENY])
async def test_only_a_deny_of_the_whole_enterprise_can_be_locked(
    firm: Firm, effect: pb.Effect.ValueType
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await firm.set(effect, team=firm.team if effect == EFFECT_DENY else "", locked=True)
    assert refusal(refused.value) == (grpc.StatusCode.INVALID_ARGUMENT, "LOCK_MISPLACED")
    assert await firm.granted(firm.team)


async def test_a_teams_own_deny_holds_for_its_subtree_whatever_is_allowed(firm: Firm) -> None:
    await firm.set(EFFECT_ALLOW, team=firm.team)
    await firm.deny(firm.chief, firm.top)
    assert (await firm.granted(firm.team), await firm.granted()) == (False, True)
    await firm.lift(firm.chief, firm.top)
    assert await firm.granted(firm.team)


async def test_who_may_change_what(firm: Firm) -> None:
    """Each person against each act: what is allowed by owners and managers, and a team's own deny."""
    people = {
        "owner": firm.owner,
        "manager": firm.manager,
        "chief": firm.chief,
        "lead": firm.lead,
        "worker": firm.worker,
    }
    may_set = {"owner", "manager"}
    may_deny = {firm.top: {"chief"}, firm.team: {"chief", "lead"}}
    for name, person in people.items():
        for team in ("", firm.top, firm.team):
            assert await _passes(firm.set(EFFECT_ALLOW, team=team, by=person)) is (name in may_set)
            assert await _passes(firm.clear(team=team, by=person)) is (name in may_set)
        for team, allowed in may_deny.items():
            assert await _passes(firm.deny(person, team)) is (name in allowed), (name, team)
            assert await _passes(firm.lift(person, team)) is (name in allowed | {"owner"}), (name, team)


async def test_an_owner_lifts_a_teams_own_deny_and_sets_none(firm: Firm) -> None:
    await firm.deny(firm.lead, firm.team)
    with pytest.raises(grpc.aio.AioRpcError):
        await firm.lift(firm.manager, firm.team)
    assert not await firm.granted(firm.team)
    await firm.lift(firm.owner, firm.team)
    assert await firm.granted(firm.team)
    with pytest.raises(grpc.aio.AioRpcError):
        await firm.deny(firm.owner, firm.team)
    (lifted, _) = (await firm.changes(firm.owner, firm.team)).grant_changes
    assert (lifted.layer, lifted.decider_employee_id) == (GRANT_LAYER_TEAM, firm.owner.employee_id)


async def test_a_right_that_was_lost_a_moment_ago_changes_no_grant(firm: Firm) -> None:
    """The rule has passed when the right is taken away; the use case reads anew, behind the lock."""
    await firm.deny(firm.lead, firm.team)
    async with firm.world.appointing(firm.owner) as tx:
        await (await tx.driver()).execute(
            "UPDATE wrtn_companions SET role = 1 WHERE employee_id = %s", (firm.lead.employee_id,)
        )
        lifting = asyncio.create_task(firm.lift(firm.lead, firm.team))
        await firm.world.waits_for_a_lock()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await lifting
    assert refusal(refused.value) == (grpc.StatusCode.PERMISSION_DENIED, "GRANT_ABOVE_RIGHT")
    assert not await firm.granted(firm.team)


async def test_each_change_is_recorded_for_good_with_who_what_and_why(firm: Firm) -> None:
    await firm.set(EFFECT_DENY, locked=True)
    await firm.set(EFFECT_DENY, locked=True)
    await firm.set(EFFECT_ALLOW)
    await firm.clear()
    await firm.clear()
    await firm.deny(firm.lead, firm.team, "model:*")
    await firm.default(EFFECT_DENY)
    found = list((await firm.changes(firm.owner)).grant_changes)
    assert [
        (each.sequence, each.layer, each.effect_before, each.effect_after, each.locked_before)
        for each in found
    ] == [
        (5, GRANT_LAYER_DEFAULT, EFFECT_UNSPECIFIED, EFFECT_DENY, False),
        (4, GRANT_LAYER_TEAM, EFFECT_UNSPECIFIED, EFFECT_DENY, False),
        (3, GRANT_LAYER_ENTERPRISE, EFFECT_ALLOW, EFFECT_UNSPECIFIED, False),
        (2, GRANT_LAYER_ENTERPRISE, EFFECT_DENY, EFFECT_ALLOW, True),
        (1, GRANT_LAYER_ENTERPRISE, EFFECT_UNSPECIFIED, EFFECT_DENY, False),
    ]
    assert [each.decider_employee_id for each in found[1:]] == [
        firm.lead.employee_id,
        *[firm.manager.employee_id] * 3,
    ]
    assert (found[-1].reason, found[0].reason) == ("Because.", "Sparing.")
    events = await firm.world.rows(
        "SELECT aggregate_version FROM wrtn_outbox WHERE subject LIKE '%%grant.changed' AND tenant_id = %s"
        " ORDER BY id",
        firm.owner.enterprise_id,
    )
    assert [row[0] for row in events] == [1, 2, 3, 4, 5]
    audited = await firm.world.rows(
        "SELECT count(*) FROM wrtn_outbox WHERE subject LIKE '%%audit.recorded' AND tenant_id = %s",
        firm.owner.enterprise_id,
    )
    assert audited[0][0] >= 5


async def test_the_record_cannot_be_altered_and_holds_no_readable_reason(firm: Firm) -> None:
    await firm.set(EFFECT_DENY)
    async with firm.world.database.app.snapshot(firm.scope) as tx:
        row = await (await (await tx.driver()).execute("SELECT reason FROM wrtn_grant_changes")).fetchone()
    assert row is not None
    assert b"Because" not in row[0]
    with pytest.raises(Exception, match=r"insert-only|permission denied"):
        async with firm.world.database.app.transaction(firm.scope) as tx:
            await (await tx.driver()).execute("UPDATE wrtn_grant_changes SET resource = 'x:y'")


async def test_a_retry_sets_once(firm: Firm) -> None:
    first = await firm.set(EFFECT_DENY, request_id="one")
    await firm.clear()
    assert await firm.set(EFFECT_DENY, request_id="one") == first
    assert await firm.granted()


async def test_changes_are_listed_by_team_and_page_for_those_who_run_it(firm: Firm) -> None:
    for number in range(3):
        await firm.set(EFFECT_DENY, f"model:a/m{number}", team=firm.team)
    await firm.set(EFFECT_DENY)
    first = await firm.changes(firm.lead, firm.team, page_size=2)
    rest = await firm.changes(firm.lead, firm.team, page_size=2, page_token=first.next_page_token)
    assert [each.resource for each in (*first.grant_changes, *rest.grant_changes)] == [
        "model:a/m2",
        "model:a/m1",
        "model:a/m0",
    ]
    assert not rest.next_page_token
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await firm.changes(firm.lead)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_grants_are_listed_where_they_are_set_or_all_that_bear_on_a_team(firm: Firm) -> None:
    await firm.set(EFFECT_ALLOW, "model:b/*", team=firm.team)
    await firm.deny(firm.lead, firm.team, "model:a/*")
    await firm.set(EFFECT_DENY, team=firm.top)
    await firm.set(EFFECT_DENY, "model:*", locked=True)

    async def listed(team: str, *, effective: bool) -> list[tuple[str, str]]:
        found, token = [], ""
        while True:
            request = pb.ListGrantsRequest(
                enterprise_id=firm.owner.enterprise_id,
                team_id=team,
                effective=effective,
                page_size=1,
                page_token=token,
            )
            page = await firm.world.grants.ListGrants(request, metadata=firm.worker.metadata)
            found += [(each.team_id, each.resource) for each in page.grants]
            token = page.next_page_token
            if not token:
                return found

    own = [(firm.team, "model:a/*"), (firm.team, "model:b/*")]
    assert await listed(firm.team, effective=False) == own
    assert await listed("", effective=False) == [("", "model:*")]
    assert await listed(firm.team, effective=True) == [*own, (firm.top, GPT), ("", "model:*")]
    defaults = await firm.default(EFFECT_DENY, "procedure")
    request = pb.ListGrantDefaultsRequest(enterprise_id=firm.owner.enterprise_id)
    known = await firm.world.grants.ListGrantDefaults(request, metadata=firm.worker.metadata)
    assert list(known.grant_defaults) == [defaults]


async def test_an_explanation_tells_every_step_and_agrees_with_what_holds(firm: Firm) -> None:
    await firm.set(EFFECT_DENY, "model:*")
    await firm.set(EFFECT_ALLOW, "model:openai/*", team=firm.top)
    explained = await firm.explain(firm.worker, team=firm.team)
    assert explained.allowed
    assert explained.allowed is await firm.granted(firm.team)
    assert [each.sentence for each in explained.steps] == [
        "The person works in the enterprise, as a member.",
        f"The person is a companion of the team {firm.team}.",
        "The enterprise denies nothing here by a lock.",
        f"The chiefs and managers of the team {firm.team} deny nothing here.",
        f"The chiefs and managers of the team {firm.top} deny nothing here.",
        f"Owners and managers set nothing for {GPT} in the team {firm.team}.",
        f"Owners and managers allow model:openai/* in the team {firm.top}, the nearest that says anything.",
    ]
    last = explained.steps[-1]
    assert (last.team_id, last.resource, last.effect, last.decisive) == (
        firm.top,
        "model:openai/*",
        EFFECT_ALLOW,
        True,
    )
    direct = await firm.explain(firm.worker)
    assert (direct.allowed, direct.steps[-1].resource) == (False, "model:*")


async def test_who_is_no_companion_of_the_team_may_use_nothing_there(firm: Firm) -> None:
    explained = await firm.explain(firm.chief, team=firm.team)
    assert not explained.allowed
    assert explained.steps[-1].kind == pb.ExplanationStep.KIND_COMPANION


async def test_who_may_ask_why_about_whom(firm: Firm) -> None:
    people = [firm.owner, firm.manager, firm.chief, firm.lead, firm.worker]
    may = {
        0: {0, 1, 2, 3, 4},
        1: {0, 1, 2, 3, 4},
        2: {2, 3, 4},
        3: {3, 4},
        4: {4},
    }
    for asker, allowed in may.items():
        for whom, person in enumerate(people):
            passes = await _passes(firm.explain(people[asker], whom=person))
            assert passes is (whom in allowed), (asker, whom)


async def test_a_foreign_or_missing_team_or_person_is_not_found(firm: Firm) -> None:
    stranger = await firm.world.owner()
    foreign = await firm.world.team(stranger)
    for team in (foreign, str(firm.world.clock.new_id())):
        for call in (
            firm.set(EFFECT_DENY, team=team, by=firm.owner),
            firm.explain(firm.owner, team=team),
            firm.changes(firm.owner, team),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call
            assert refusal(refused.value) == (grpc.StatusCode.NOT_FOUND, "TEAM_NOT_FOUND")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await firm.explain(firm.owner, whom=stranger)
    assert refusal(refused.value) == (grpc.StatusCode.NOT_FOUND, "EMPLOYEE_NOT_FOUND")
    assert not (await firm.world.resolve(firm.worker, foreign, GPT)).granted


async def test_a_text_that_names_no_resource_is_refused(firm: Firm) -> None:
    for text in ("", "model", "model:", "*", "model:a*", "model:*/b", "Model:a", "model:a b", "model:a**"):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await firm.set(EFFECT_DENY, text)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT, text
    assert not (await firm.changes(firm.owner)).grant_changes


async def _passes(call: object) -> bool:
    try:
        await call  # type: ignore[misc]
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.PERMISSION_DENIED:
            raise
        return False
    return True
