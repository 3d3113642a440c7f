"""Requests for rights: who may decide them, and what a decision does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from chassis.call import Access
from chassis.crypto import Keyring
from chassis.database import Snapshot, Transaction
from services.enterprise import convert, events, letters, models, reasons
from services.enterprise.errors import (
    AlreadyGranted,
    GrantAboveRight,
    GrantRequestClosed,
    GrantRequestNotFound,
    GrantRequestOpen,
    GrantStillDenied,
    TeamNotJoined,
)
from services.enterprise.granting import Decision
from services.enterprise.people import appointing
from services.enterprise.rights import access, grants
from services.enterprise.rights.grants import Change, Desk
from services.enterprise.store import Employees, GrantRequests, Runners
from wrtn.access.v1.access_pb2 import ROLE_MANAGER, TITLE_MANAGER, TITLE_OWNER
from wrtn.enterprise.v1.grant_requests_pb2 import CreateGrantRequestRequest, GrantRequest
from wrtn.enterprise.v1.grants_pb2 import (
    EFFECT_ALLOW,
    EFFECT_UNSPECIFIED,
    GRANT_LAYER_ENTERPRISE,
    GRANT_LAYER_TEAM,
    ExplanationStep,
)

REASON = "wrtn_grant_requests.reason"
DECISION = "wrtn_grant_requests.decision_reason"
_MOST_TOLD = 20
"""How many of those who may decide a request get a mail."""


def line_of(found: Access) -> tuple[UUID, ...]:
    """Answers the team that the access was resolved for and those above it; none without a team."""
    return (found.team.team_id, *found.team.ancestor_ids) if found.team is not None else ()


def may_decide(decider: Access, decision: Decision) -> bool:
    """Whether the decider could change what denies: pure, over an access in the team of the request.

    A team's own deny is for chiefs and managers of that team or above, and for owners; all else is for owners
    and managers of the enterprise. A request that nothing denies any more may be closed by any of them.
    """
    line, step = line_of(decider), decision.last
    if step.kind == ExplanationStep.KIND_TEAM_DENY and step.team_id is not None:
        by_role = appointing.greatest_role(decider, line[line.index(step.team_id) :]) >= ROLE_MANAGER
        return by_role or decider.title >= TITLE_OWNER
    by_role = decision.allowed and appointing.greatest_role(decider, line) >= ROLE_MANAGER
    return by_role or decider.title >= TITLE_MANAGER


async def create(desk: Desk, request: CreateGrantRequestRequest) -> GrantRequest:
    """Requests the right for the one at the desk, on the team of the desk.

    Raises TeamNotJoined, AlreadyGranted and GrantRequestOpen.
    """
    tx, requester, tenant_id = desk.tx, desk.decider, desk.tenant_id
    if requester.team is not None and not requester.team.companion:
        raise TeamNotJoined("The person is no companion of the team.", field="team_id")
    decision = await access.decided(tx, requester, request.resource)
    if decision.allowed:
        raise AlreadyGranted("The person may use the resource there.", field="resource")
    desk.enterprise.last_grant_request += 1
    row = models.GrantRequest(
        tenant_id=tenant_id,
        id=tx.clock.new_id(),
        sequence=desk.enterprise.last_grant_request,
        employee_id=requester.employee_id,
        team_id=requester.team.team_id if requester.team is not None else None,
        resource=request.resource,
        state=GrantRequest.STATE_OPEN,
        create_time=tx.now,
    )
    row.reason = await reasons.seal(tx, desk.keyring, REASON, tenant_id, row.id, request.reason)
    if not await GrantRequests(tx, tenant_id).add(row):
        raise GrantRequestOpen("A request for this resource is open already.", field="resource")
    await _tell_deciders(desk, row, decision)
    events.grant_requested(tx, row)
    return convert.grant_request(row, request.reason, "")


async def open_one(tx: Transaction, tenant_id: UUID, request_id: UUID) -> models.GrantRequest:
    """Answers a request that is open. Raises GrantRequestNotFound and GrantRequestClosed."""
    row = await found(tx, tenant_id, request_id)
    if row.state != GrantRequest.STATE_OPEN:
        raise GrantRequestClosed("The request was decided or withdrawn.", field="grant_request_id")
    return row


async def found(tx: Snapshot, tenant_id: UUID, request_id: UUID) -> models.GrantRequest:
    """Answers the request. Raises GrantRequestNotFound."""
    row = await GrantRequests(tx, tenant_id).get(request_id)
    if row is None:
        raise GrantRequestNotFound("The request does not exist.", field="grant_request_id")
    return row


async def decide(desk: Desk, row: models.GrantRequest, *, approve: bool, reason: str) -> GrantRequest:
    """Approves or refuses an open request, at a desk in its team.

    Raises GrantAboveRight and GrantStillDenied.
    """
    if desk.decider.employee_id == row.employee_id:
        raise GrantAboveRight("Nobody decides what they requested.")
    decision = await access.decided(desk.tx, desk.decider, row.resource)
    if not may_decide(desk.decider, decision):
        raise GrantAboveRight("This request is not the caller's to decide.")
    if approve:
        await _grant(desk, row, decision, reason)
    state = GrantRequest.STATE_APPROVED if approve else GrantRequest.STATE_REFUSED
    return await _close(desk, row, state, reason)


async def withdraw(desk: Desk, row: models.GrantRequest) -> GrantRequest:
    """Takes an open request back. Raises GrantRequestNotFound for that of another."""
    if desk.decider.employee_id != row.employee_id:
        raise GrantRequestNotFound("The request does not exist.", field="grant_request_id")
    return await _close(desk, row, GrantRequest.STATE_WITHDRAWN, "")


async def _grant(desk: Desk, row: models.GrantRequest, decision: Decision, reason: str) -> None:
    """Changes what denies the very resource, until nothing does or what is left denies more than that."""
    for _ in range(len(line_of(desk.decider)) + 1):
        if decision.allowed:
            return
        change = _overcoming(row, decision)
        if change is None or not may_decide(desk.decider, decision):
            break
        await grants.put(desk, replace(change, reason=reason, grant_request_id=row.id))
        await desk.tx.session.flush()
        decision = await access.decided(desk.tx, desk.decider, row.resource)
    if not decision.allowed:
        raise GrantStillDenied(
            "The resource would be denied still: ask why by :explain, and change that first.",
            denied_by=decision.last.resource,
        )


def _overcoming(row: models.GrantRequest, decision: Decision) -> Change | None:
    """Answers the change that overcomes what denies; None if it would change more than this resource."""
    step = decision.last
    if step.kind == ExplanationStep.KIND_TEAM_DENY:
        if step.resource != row.resource:
            return None
        return Change(row.resource, EFFECT_UNSPECIFIED, GRANT_LAYER_TEAM, step.team_id)
    if step.kind == ExplanationStep.KIND_LOCKED_DENY:
        return None
    return Change(row.resource, EFFECT_ALLOW, GRANT_LAYER_ENTERPRISE, row.team_id)


async def _close(
    desk: Desk, row: models.GrantRequest, state: GrantRequest.State.ValueType, reason: str
) -> GrantRequest:
    tx = desk.tx
    row.state, row.decide_time = state, tx.now
    if state != GrantRequest.STATE_WITHDRAWN:
        row.decider_employee_id = desk.decider.employee_id
    if reason:
        row.decision_reason = await reasons.seal(tx, desk.keyring, DECISION, desk.tenant_id, row.id, reason)
    tx.audit(
        "grant_request.closed",
        tenant_id=desk.tenant_id,
        target_id=row.id,
        reason=reason,
        employee_id=row.employee_id,
        state_before=GrantRequest.STATE_OPEN,
        state_after=state,
    )
    if state != GrantRequest.STATE_WITHDRAWN:
        await _tell_requester(desk, row)
    events.grant_request_closed(tx, row)
    return (await shown(tx, desk.keyring, desk.tenant_id, [row]))[0]


async def _tell_deciders(desk: Desk, row: models.GrantRequest, decision: Decision) -> None:
    """Writes to some of those who may decide, but for the requester: those nearest to what denies."""
    runners, step = Runners(desk.tx, desk.tenant_id), decision.last
    if step.kind == ExplanationStep.KIND_TEAM_DENY and step.team_id is not None:
        line = line_of(desk.decider)
        found = await runners.of_teams(line[line.index(step.team_id) :], _MOST_TOLD)
    else:
        found = await runners.of_enterprise(_MOST_TOLD)
    fills = {"enterprise": desk.enterprise.display_name, "resource": row.resource}
    for member_id in found:
        if member_id != desk.decider.member_id:
            letters.write(desk.tx, desk.tenant_id, member_id, "grant_requested", fills)


async def _tell_requester(desk: Desk, row: models.GrantRequest) -> None:
    requester = await Employees(desk.tx, desk.tenant_id).get(row.employee_id)
    if requester is not None:
        outcome = "approved" if row.state == GrantRequest.STATE_APPROVED else "refused"
        fills = {
            "enterprise": desk.enterprise.display_name,
            "resource": row.resource,
            "outcome": outcome,
        }
        letters.write(desk.tx, desk.tenant_id, requester.member_id, "grant_request_decided", fills)


async def shown(
    tx: Snapshot, keyring: Keyring, tenant_id: UUID, rows: Sequence[models.GrantRequest]
) -> list[GrantRequest]:
    """Answers the requests with their reasons."""
    asked = await reasons.opened(tx, keyring, REASON, tenant_id, [(row.id, row.reason) for row in rows])
    decided = await reasons.opened(
        tx, keyring, DECISION, tenant_id, [(row.id, row.decision_reason) for row in rows]
    )
    return [convert.grant_request(*each) for each in zip(rows, asked, decided, strict=True)]
