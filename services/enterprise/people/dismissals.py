"""Ending employments. What is said here takes effect at once; accounts follow (handovers.py)."""

from __future__ import annotations

from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Transaction
from services.enterprise import convert, events
from services.enterprise.errors import (
    AppointmentAboveRight,
    EmployeeDismissed,
    EmployeeNotFound,
    LeavingNeedsDismissal,
)
from services.enterprise.models import Employee, Enterprise
from services.enterprise.people import appointing, appointments, companions, deputies, employees, handovers
from services.enterprise.people.appointments import Act
from services.enterprise.store import Employees
from wrtn.access.v1.access_pb2 import TITLE_UNSPECIFIED
from wrtn.enterprise.v1 import employees_pb2
from wrtn.enterprise.v1.employees_pb2 import (
    DismissEmployeeRequest,
    LeaveEnterpriseRequest,
    LeaveEnterpriseResponse,
)
from wrtn.enterprise.v1.enterprises_pb2 import EnterpriseSettings


async def dismiss(
    tx: Transaction, keyring: Keyring, decider_id: UUID, request: DismissEmployeeRequest
) -> employees_pb2.Employee:
    """Ends the employment of another, and hands the accounts to the successor if one is named.

    Raises EmployeeNotFound, EmployeeDismissed, AppointmentAboveRight, LastOwner and SuccessorNotFound.
    """
    tenant_id = UUID(request.enterprise_id)
    enterprise, decider = await appointments.begin(tx, tenant_id, decider_id)
    row = await Employees(tx, tenant_id).get(UUID(request.employee_id))
    if row is None:
        raise EmployeeNotFound("The employee does not exist.", field="employee_id")
    if row.title == TITLE_UNSPECIFIED:
        raise EmployeeDismissed("The employee was dismissed before.", field="employee_id")
    themself = row.id == decider.employee_id
    if not appointing.may_retitle(decider.title, row.title, TITLE_UNSPECIFIED, themself=themself):
        raise AppointmentAboveRight("This employee is not the caller's to dismiss.", field="employee_id")
    successor = await handovers.successor_of(tx, row, request.successor_employee_id)
    act = Act(
        "employee.dismissed",
        row.id,
        decider.employee_id,
        request.reason,
        title_before=row.title,
        duties_before=row.duties,
        successor_id=successor.id if successor is not None else None,
    )
    await end(tx, keyring, enterprise, row, act)
    if successor is not None:
        await handovers.begin(tx, row, successor, decider.member_id)
    return convert.employee(row)


async def leave(
    tx: Transaction, keyring: Keyring, member_id: UUID, request: LeaveEnterpriseRequest
) -> LeaveEnterpriseResponse:
    """Ends the member's own employment. Raises LastOwner and LeavingNeedsDismissal."""
    tenant_id = UUID(request.enterprise_id)
    enterprise, leaving = await appointments.begin(tx, tenant_id, member_id)
    if EnterpriseSettings.FromString(enterprise.settings).leaving_needs_dismissal:
        raise LeavingNeedsDismissal("The enterprise wants employments to end by a dismissal.")
    row = await appointments.employed(tx, tenant_id, str(leaving.employee_id))
    act = Act(
        "employee.left", row.id, row.id, request.reason, title_before=row.title, duties_before=row.duties
    )
    await end(tx, keyring, enterprise, row, act)
    return LeaveEnterpriseResponse()


async def end(tx: Transaction, keyring: Keyring, enterprise: Enterprise, row: Employee, act: Act) -> None:
    """Takes everything that the employee has and is, with a record of each, and tells of it."""
    await employees.require_another_owner(tx, row)
    row.title, row.duties, row.dismiss_time = TITLE_UNSPECIFIED, [], tx.now
    row.version += 1
    await appointments.record(tx, keyring, enterprise, act)
    await companions.remove_from_all(tx, keyring, enterprise, act)
    await deputies.end_all(tx, keyring, enterprise, act)
    await handovers.refuse_to(tx, row)
    events.employee_dismissed(tx, row, act.successor_id)
