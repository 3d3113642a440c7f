"""Requests for rights: who asks, who decides, and what a decision does."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from chassis.testing.waiting import until
from tests.enterprise.firm import GPT, Firm
from tests.enterprise.make import Worker, refusal
from wrtn.enterprise.v1 import grant_requests_pb2 as pb
from wrtn.enterprise.v1.grant_requests_pb2 import GrantRequest
from wrtn.enterprise.v1.grants_pb2 import EFFECT_DENY
from wrtn.identity.v1.mails_pb2 import SendMailRequest

Code = grpc.StatusCode


async def ask(firm: Firm, team: str = "", *, by: Worker | None = None, resource: str = GPT) -> GrantRequest:
    """Requests the right, for the worker unless another is given."""
    request = pb.CreateGrantRequestRequest(
        enterprise_id=firm.owner.enterprise_id, team_id=team, resource=resource, reason="For the report."
    )
    metadata = (by or firm.worker).metadata
    return await firm.world.requests.CreateGrantRequest(request, metadata=metadata)


async def approve(firm: Firm, asked: GrantRequest, by: Worker) -> GrantRequest:
    """Approves the request."""
    request = pb.ApproveGrantRequestRequest(
        enterprise_id=asked.enterprise_id, grant_request_id=asked.id, reason="Granted."
    )
    return await firm.world.requests.ApproveGrantRequest(request, metadata=by.metadata)


async def refuse(firm: Firm, asked: GrantRequest, by: Worker) -> GrantRequest:
    """Refuses the request."""
    request = pb.RefuseGrantRequestRequest(
        enterprise_id=asked.enterprise_id, grant_request_id=asked.id, reason="Too dear."
    )
    return await firm.world.requests.RefuseGrantRequest(request, metadata=by.metadata)


async def withdraw(firm: Firm, asked: GrantRequest, by: Worker) -> GrantRequest:
    """Withdraws the request."""
    request = pb.WithdrawGrantRequestRequest(enterprise_id=asked.enterprise_id, grant_request_id=asked.id)
    return await firm.world.requests.WithdrawGrantRequest(request, metadata=by.metadata)


async def get(firm: Firm, asked: GrantRequest, by: Worker) -> GrantRequest:
    """Gets the request."""
    request = pb.GetGrantRequestRequest(enterprise_id=asked.enterprise_id, grant_request_id=asked.id)
    return await firm.world.requests.GetGrantRequest(request, metadata=by.metadata)


async def listed(firm: Firm, by: Worker, team: str = "", state: int = 0) -> list[str]:
    """Lists the ids of requests."""
    request = pb.ListGrantRequestsRequest(
        enterprise_id=firm.owner.enterprise_id,
        team_id=team,
        state=state,  # type: ignore[arg-type]
    )
    found = await firm.world.requests.ListGrantRequests(request, metadata=by.metadata)
    return [each.id for each in found.grant_requests]


async def test_an_approved_request_allows_the_resource_on_its_team(firm: Firm) -> None:
    await firm.set(EFFECT_DENY)
    asked = await ask(firm, firm.team)
    assert (asked.state, asked.reason, asked.employee_id) == (
        GrantRequest.STATE_OPEN,
        "For the report.",
        firm.worker.employee_id,
    )
    decided = await approve(firm, asked, firm.manager)
    assert (decided.state, decided.decision_reason, decided.decider_employee_id) == (
        GrantRequest.STATE_APPROVED,
        "Granted.",
        firm.manager.employee_id,
    )
    assert (await firm.granted(firm.team), await firm.granted()) == (True, False)
    change = (await firm.changes(firm.owner)).grant_changes[0]
    assert (change.grant_request_id, change.reason, change.team_id) == (asked.id, "Granted.", firm.team)
    assert await get(firm, asked, firm.worker) == decided


async def test_a_refused_request_changes_nothing(firm: Firm) -> None:
    await firm.set(EFFECT_DENY)
    asked = await ask(firm, firm.team)
    refused = await refuse(firm, asked, firm.owner)
    assert (refused.state, refused.decision_reason) == (GrantRequest.STATE_REFUSED, "Too dear.")
    assert not await firm.granted(firm.team)
    assert len((await firm.changes(firm.owner)).grant_changes) == 1
    assert (await firm.world.subjects(firm.owner)).count("grant_request.closed") == 1
    assert len(await firm.world.audited(firm.owner.enterprise_id, "grant_request.closed")) == 1


async def test_a_teams_own_deny_is_lifted_by_those_who_may_and_by_nobody_else(firm: Firm) -> None:
    await firm.deny(firm.chief, firm.top)
    asked = await ask(firm, firm.team)
    for somebody in (firm.manager, firm.lead):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await approve(firm, asked, somebody)
        assert refusal(refused.value) == (Code.PERMISSION_DENIED, "GRANT_ABOVE_RIGHT")
    await approve(firm, asked, firm.chief)
    assert await firm.granted(firm.team)
    await firm.deny(firm.chief, firm.top)
    await approve(firm, await ask(firm, firm.team), firm.owner)
    assert await firm.granted(firm.team)


async def test_a_chief_requests_like_everybody_and_does_not_lift_their_own_hindrance(firm: Firm) -> None:
    await firm.set(EFFECT_DENY, team=firm.top)
    asked = await ask(firm, firm.top, by=firm.chief)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await approve(firm, asked, firm.chief)
    assert refusal(refused.value) == (Code.PERMISSION_DENIED, "GRANT_ABOVE_RIGHT")
    await approve(firm, asked, firm.manager)
    assert await firm.granted(firm.top, whom=firm.chief)


async def test_what_denies_more_than_was_asked_for_stays_and_so_does_the_request(firm: Firm) -> None:
    await firm.deny(firm.lead, firm.team, "model:*")
    asked = await ask(firm, firm.team)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await approve(firm, asked, firm.lead)
    assert refusal(refused.value) == (Code.FAILED_PRECONDITION, "GRANT_STILL_DENIED")
    assert (await get(firm, asked, firm.worker)).state == GrantRequest.STATE_OPEN
    await firm.lift(firm.lead, firm.team, "model:*")
    await firm.set(EFFECT_DENY, "model:*", locked=True)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await approve(firm, asked, firm.manager)
    assert refusal(refused.value) == (Code.FAILED_PRECONDITION, "GRANT_STILL_DENIED")


async def test_one_deny_that_is_lifted_under_another_changes_nothing(firm: Firm) -> None:
    await firm.set(EFFECT_DENY, team=firm.team)
    await firm.deny(firm.lead, firm.team)
    asked = await ask(firm, firm.team)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await approve(firm, asked, firm.lead)
    assert refusal(refused.value) == (Code.FAILED_PRECONDITION, "GRANT_STILL_DENIED")
    explained = await firm.explain(firm.worker, team=firm.team)
    assert explained.steps[-1].sentence.startswith("The chiefs and managers")


async def test_nobody_decides_what_they_requested(firm: Firm) -> None:
    await firm.set(EFFECT_DENY)
    asked = await ask(firm, by=firm.manager)
    for act in (approve, refuse):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await act(firm, asked, firm.manager)
        assert refusal(refused.value) == (Code.PERMISSION_DENIED, "GRANT_ABOVE_RIGHT")
    await approve(firm, asked, firm.owner)


async def test_a_person_has_one_open_request_for_a_resource_also_in_a_race(firm: Firm) -> None:
    await firm.set(EFFECT_DENY)
    racing = await asyncio.gather(*(ask(firm) for _ in range(4)), return_exceptions=True)
    made = [each for each in racing if isinstance(each, GrantRequest)]
    assert len(made) == 1
    for each in racing:
        if isinstance(each, grpc.aio.AioRpcError):
            assert refusal(each) == (Code.ALREADY_EXISTS, "GRANT_REQUEST_OPEN")
    await ask(firm, by=firm.lead)
    assert (await withdraw(firm, made[0], firm.worker)).state == GrantRequest.STATE_WITHDRAWN
    await ask(firm)


async def test_what_is_decided_is_decided(firm: Firm) -> None:
    await firm.set(EFFECT_DENY)
    asked = await ask(firm)
    await refuse(firm, asked, firm.owner)
    for call in (
        approve(firm, asked, firm.owner),
        refuse(firm, asked, firm.manager),
        withdraw(firm, asked, firm.worker),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call
        assert refusal(refused.value) == (Code.FAILED_PRECONDITION, "GRANT_REQUEST_CLOSED")


async def test_two_who_decide_at_once_decide_once(firm: Firm) -> None:
    await firm.set(EFFECT_DENY)
    asked = await ask(firm)
    racing = await asyncio.gather(
        approve(firm, asked, firm.owner), refuse(firm, asked, firm.manager), return_exceptions=True
    )
    assert sum(isinstance(each, GrantRequest) for each in racing) == 1
    subjects = await firm.world.subjects(firm.owner)
    assert subjects.count("grant_request.closed") == 1


async def test_what_one_has_or_cannot_have_is_not_requested(firm: Firm) -> None:
    for team, by, reason in (
        (firm.team, firm.worker, "ALREADY_GRANTED"),
        (firm.top, firm.worker, "TEAM_NOT_JOINED"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await ask(firm, team, by=by)
        assert refusal(refused.value) == (Code.FAILED_PRECONDITION, reason)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await ask(firm, resource="model:*")
    assert refused.value.code() is Code.INVALID_ARGUMENT


async def test_who_sees_which_requests(firm: Firm) -> None:
    await firm.set(EFFECT_DENY)
    direct = await ask(firm)
    lead = await ask(firm, firm.team, by=firm.lead)
    assert await listed(firm, firm.owner) == [lead.id, direct.id]
    assert await listed(firm, firm.manager, state=GrantRequest.STATE_APPROVED) == []
    assert await listed(firm, firm.worker) == [direct.id]
    assert await listed(firm, firm.chief, firm.team) == [lead.id]
    assert await listed(firm, firm.worker, firm.team) == []
    assert await listed(firm, firm.chief) == []
    for asked, person in ((direct, firm.chief), (lead, firm.worker)):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await get(firm, asked, person)
        assert refusal(refused.value) == (Code.NOT_FOUND, "GRANT_REQUEST_NOT_FOUND")
    assert (await get(firm, lead, firm.chief)).id == lead.id
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await withdraw(firm, direct, firm.owner)
    assert refusal(refused.value) == (Code.NOT_FOUND, "GRANT_REQUEST_NOT_FOUND")


def mails(firm: Firm) -> list[SendMailRequest]:
    """Answers the mails to the people of the firm."""
    people = member(firm.owner, firm.manager, firm.chief, firm.lead, firm.worker)
    return [each for each in firm.world.identity.mails.values() if each.member_id in people]


async def mailed(firm: Firm, template: str, count: int) -> set[str]:
    """Waits until so many mails of the template are sent; answers to whom."""

    def sent() -> set[str]:
        return {each.member_id for each in mails(firm) if each.template == template}

    await until(lambda: len(sent()) >= count)
    return sent()


def member(*people: Worker) -> set[str]:
    """Answers the members' ids."""
    return {str(each.person.member_id) for each in people}


async def test_who_may_decide_and_who_asked_are_told_by_mail_also_after_identity_was_away(
    firm: Firm,
) -> None:
    await firm.set(EFFECT_DENY)
    firm.world.identity.mailing_fails = True
    asked = await ask(firm)
    await refuse(firm, asked, firm.owner)
    firm.world.identity.mailing_fails = False
    assert await mailed(firm, "grant_requested", 2) == member(firm.owner, firm.manager)
    assert await mailed(firm, "grant_request_decided", 1) == member(firm.worker)
    (decided,) = (each for each in mails(firm) if each.template == "grant_request_decided")
    assert dict(decided.values) == {"enterprise": "Acme", "resource": GPT, "outcome": "refused"}

    async def nothing_waits() -> bool:
        waiting = "SELECT FROM wrtn_letters WHERE tenant_id = %s"
        return not await firm.world.rows(waiting, firm.owner.enterprise_id)

    await until(nothing_waits)
    assert len(mails(firm)) == 3


async def test_of_a_teams_own_deny_its_chiefs_and_managers_are_told(firm: Firm) -> None:
    await firm.deny(firm.chief, firm.top)
    await ask(firm, firm.team)
    assert await mailed(firm, "grant_requested", 1) == member(firm.chief)
