"""Why somebody may or may not use a thing, and who may ask."""

from __future__ import annotations

import grpc
import pytest

from tests.enterprise.firm import GPT, Firm
from tests.enterprise.make import refusal
from wrtn.enterprise.v1 import grants_pb2 as pb
from wrtn.enterprise.v1.grants_pb2 import (
    EFFECT_ALLOW,
    EFFECT_DENY,
)


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


async def _passes(call: object) -> bool:
    try:
        await call  # type: ignore[misc]
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.PERMISSION_DENIED:
            raise
        return False
    return True
