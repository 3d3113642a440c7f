"""Appointing companions and taking them out of teams."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from chassis.call import Access
from chassis.crypto import Keyring
from chassis.database import Transaction
from services.enterprise import convert, events, models
from services.enterprise.errors import AppointmentAboveRight, CompanionNotFound, TeamNotFound
from services.enterprise.people import appointing, appointments, deputies
from services.enterprise.people.appointments import Act
from services.enterprise.store import Companions
from wrtn.access.v1.access_pb2 import ROLE_UNSPECIFIED
from wrtn.enterprise.v1.teams_pb2 import (
    AppointCompanionRequest,
    Companion,
    LeaveTeamRequest,
    LeaveTeamResponse,
    RemoveCompanionRequest,
    RemoveCompanionResponse,
)


async def appoint(
    tx: Transaction, keyring: Keyring, decider_id: UUID, request: AppointCompanionRequest
) -> Companion:
    """Makes an employee a companion or changes their role. The role that they have already changes nothing.

    Raises TeamNotFound, EmployeeNotFound and AppointmentAboveRight.
    """
    tenant_id, team_id = UUID(request.enterprise_id), UUID(request.team_id)
    enterprise, decider = await appointments.begin(tx, tenant_id, decider_id, team_id)
    _require_team(decider)
    employee = await appointments.employed(tx, tenant_id, request.employee_id)
    companion = await Companions(tx, tenant_id).get(team_id, employee.id)
    before = companion.role if companion is not None else ROLE_UNSPECIFIED
    _check(decider, employee, before, request.role)
    if companion is None:
        companion = join(tx, tenant_id, team_id, employee.id)
    elif before == ROLE_UNSPECIFIED:
        companion.create_time = tx.now
    if request.role != before:
        act = Act("companion.appointed", employee.id, decider.employee_id, request.reason)
        await change(tx, keyring, enterprise, companion, replace(act, role_after=request.role))
    return convert.companion(companion)


async def remove(
    tx: Transaction, keyring: Keyring, decider_id: UUID, request: RemoveCompanionRequest
) -> RemoveCompanionResponse:
    """Takes an employee out of a team. Raises TeamNotFound, CompanionNotFound and AppointmentAboveRight."""
    tenant_id, team_id = UUID(request.enterprise_id), UUID(request.team_id)
    enterprise, decider = await appointments.begin(tx, tenant_id, decider_id, team_id)
    _require_team(decider)
    companion = await _companion(tx, tenant_id, team_id, UUID(request.employee_id))
    employee = await appointments.employed(tx, tenant_id, request.employee_id)
    _check(decider, employee, companion.role, ROLE_UNSPECIFIED)
    act = Act("companion.removed", employee.id, decider.employee_id, request.reason)
    await change(tx, keyring, enterprise, companion, act)
    return RemoveCompanionResponse()


async def leave(
    tx: Transaction, keyring: Keyring, member_id: UUID, request: LeaveTeamRequest
) -> LeaveTeamResponse:
    """Takes the member out of a team. Raises TeamNotFound and CompanionNotFound."""
    tenant_id, team_id = UUID(request.enterprise_id), UUID(request.team_id)
    enterprise, leaving = await appointments.begin(tx, tenant_id, member_id, team_id)
    _require_team(leaving)
    companion = await _companion(tx, tenant_id, team_id, leaving.employee_id)
    act = Act("companion.left", leaving.employee_id, leaving.employee_id, request.reason)
    await change(tx, keyring, enterprise, companion, act)
    return LeaveTeamResponse()


async def remove_from_all(
    tx: Transaction, keyring: Keyring, enterprise: models.Enterprise, dismissal: Act
) -> None:
    """Takes the dismissed employee out of every team, archived ones included, with a record of each."""
    for companion in await Companions(tx, enterprise.tenant_id).of_employee(dismissal.employee_id):
        act = Act("companion.removed", dismissal.employee_id, dismissal.decider_id, dismissal.reason)
        await change(tx, keyring, enterprise, companion, act)


async def change(
    tx: Transaction, keyring: Keyring, enterprise: models.Enterprise, companion: models.Companion, act: Act
) -> None:
    """Gives the companion the role after the act, with its record, and tells of it."""
    act = replace(act, team_id=companion.team_id, role_before=companion.role)
    companion.role = act.role_after
    companion.version += 1
    await appointments.record(tx, keyring, enterprise, act)
    await deputies.end_where_void(tx, keyring, enterprise, act)
    if companion.role == ROLE_UNSPECIFIED:
        events.companion_removed(tx, companion)
    else:
        events.companion_appointed(tx, companion)


async def _companion(tx: Transaction, tenant_id: UUID, team_id: UUID, employee_id: UUID) -> models.Companion:
    row = await Companions(tx, tenant_id).get(team_id, employee_id)
    if row is None or row.role == ROLE_UNSPECIFIED:
        raise CompanionNotFound("The employee is not in the team.", field="employee_id")
    return row


def _require_team(decider: Access) -> None:
    if decider.team is None:
        raise TeamNotFound("The team does not exist.", field="team_id")


def _check(decider: Access, employee: models.Employee, before: int, after: int) -> None:
    """Raises AppointmentAboveRight. Against themself a title counts that is one's own, not a deputy's."""
    themself = decider.employee_id == employee.id
    standing = appointing.standing_of(decider)
    if themself:
        standing = replace(standing, title=min(standing.title, employee.title))
    if not appointing.may_appoint(standing, before, after, themself=themself):
        raise AppointmentAboveRight("This role is not the caller's to give, or to change.", field="role")


def join(tx: Transaction, tenant_id: UUID, team_id: UUID, employee_id: UUID) -> models.Companion:
    """Adds the employee to the team; the role is yet to be set."""
    row = models.Companion(
        tenant_id=tenant_id,
        id=tx.clock.new_id(),
        team_id=team_id,
        employee_id=employee_id,
        role=ROLE_UNSPECIFIED,
        version=0,
        create_time=tx.now,
    )
    tx.session.add(row)
    return row
