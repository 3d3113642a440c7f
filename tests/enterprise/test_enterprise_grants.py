"""What may be used, who changes it, and what holds then."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from tests.enterprise.firm import Firm
from tests.enterprise.make import refusal
from wrtn.enterprise.v1 import grants_pb2 as pb
from wrtn.enterprise.v1.grants_pb2 import (
    EFFECT_ALLOW,
    EFFECT_DENY,
    GRANT_LAYER_TEAM,
)


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
