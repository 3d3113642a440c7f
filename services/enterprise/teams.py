"""Making teams and appointing their companions."""

from __future__ import annotations

from uuid import UUID

from chassis.call import Access
from chassis.crypto import Keyring
from chassis.database import Transaction
from services.enterprise import appointing, appointments, convert, events, models, tree
from services.enterprise.appointments import Act
from services.enterprise.errors import AppointmentAboveRight, EmployeeNotFound, TeamNotFound, TeamTooDeep
from services.enterprise.store import Companions, Employees, Teams
from wrtn.access.v1.access_pb2 import ROLE_UNSPECIFIED
from wrtn.enterprise.v1.teams_pb2 import AppointCompanionRequest, Companion, CreateTeamRequest, Team


async def create(tx: Transaction, request: CreateTeamRequest) -> Team:
    """Creates a team at the top or under another; raises TeamNotFound for the latter, and TeamTooDeep."""
    tenant_id = UUID(request.enterprise_id)
    parent_id = UUID(request.parent_team_id) if request.parent_team_id else None
    ancestors: tuple[UUID, ...] = ()
    if parent_id is not None:
        ancestors = (await Teams(tx, tenant_id).lines([parent_id])).get(parent_id, ())
        if not ancestors:
            raise TeamNotFound("The team above does not exist.", field="parent_team_id")
    if len(ancestors) >= tree.MOST_DEEP:
        raise TeamTooDeep(f"Teams stand {tree.MOST_DEEP} deep at most.", field="parent_team_id")
    row = models.Team(
        tenant_id=tenant_id,
        id=tx.clock.new_id(),
        parent_team_id=parent_id,
        display_name=request.display_name,
        create_time=tx.now,
    )
    tx.session.add(row)
    events.team_created(tx, row, ancestors)
    return convert.team(row, ancestors)


async def appoint(
    tx: Transaction, keyring: Keyring, decider_account_id: UUID, request: AppointCompanionRequest
) -> Companion:
    """Makes an employee a companion or changes their role. The role that they have already changes nothing.

    Raises TeamNotFound, EmployeeNotFound and AppointmentAboveRight.
    """
    tenant_id, team_id = UUID(request.enterprise_id), UUID(request.team_id)
    enterprise, decider = await appointments.begin(tx, tenant_id, decider_account_id, team_id)
    if decider.team is None:
        raise TeamNotFound("The team does not exist.", field="team_id")
    employee_id = UUID(request.employee_id)
    if await Employees(tx, tenant_id).get(employee_id) is None:
        raise EmployeeNotFound("The employee does not exist.", field="employee_id")
    companion = await Companions(tx, tenant_id).get(team_id, employee_id)
    before = companion.role if companion is not None else ROLE_UNSPECIFIED
    _check(decider, employee_id, before, request.role)
    if companion is None:
        companion = _join(tx, tenant_id, request)
    if request.role != before:
        companion.role = request.role
        companion.version += 1
        act = Act(
            employee_id,
            decider.employee_id,
            request.reason,
            team_id=team_id,
            role_before=before,
            role_after=request.role,
        )
        sequence = appointments.next_sequence(enterprise)
        await appointments.record(tx, keyring, tenant_id, sequence, act)
        events.companion_appointed(tx, companion)
    return convert.companion(companion)


def _check(decider: Access, employee_id: UUID, before: int, after: int) -> None:
    standing = appointing.standing_of(decider)
    if not appointing.may_appoint(standing, before, after, themself=decider.employee_id == employee_id):
        raise AppointmentAboveRight("This role is not the caller's to give, or to change.", field="role")


def _join(tx: Transaction, tenant_id: UUID, request: AppointCompanionRequest) -> models.Companion:
    """Adds the employee to the team; the role is yet to be set."""
    row = models.Companion(
        tenant_id=tenant_id,
        id=tx.clock.new_id(),
        team_id=UUID(request.team_id),
        employee_id=UUID(request.employee_id),
        role=request.role,
        version=0,
        create_time=tx.now,
    )
    tx.session.add(row)
    return row
