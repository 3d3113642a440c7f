"""Employing members, and entrusting them with duties."""

from __future__ import annotations

from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Transaction
from services.enterprise import appointing, appointments, convert, events, models
from services.enterprise.appointments import Act
from services.enterprise.errors import (
    AlreadyEmployed,
    AppointmentAboveRight,
    DutiesNeedAManager,
    EmployeeNotFound,
)
from services.enterprise.store import Employees
from wrtn.access.v1.access_pb2 import TITLE_MANAGER, TITLE_OWNER
from wrtn.enterprise.v1.employees_pb2 import Employee, HireEmployeeRequest, SetDutiesRequest


async def hire(
    tx: Transaction, keyring: Keyring, decider_account_id: UUID, request: HireEmployeeRequest
) -> Employee:
    """Employs the member, who must be known to be active, and chooses the account that holds their work.

    Raises AppointmentAboveRight and AlreadyEmployed.
    """
    tenant_id = UUID(request.enterprise_id)
    enterprise, decider = await appointments.begin(tx, tenant_id, decider_account_id)
    if not appointing.may_hire(decider.title, request.title):
        raise AppointmentAboveRight("This title is not the caller's to give.", field="title")
    row = models.Employee(
        tenant_id=tenant_id,
        id=tx.clock.new_id(),
        member_id=UUID(request.member_id),
        account_id=tx.clock.new_id(),
        title=request.title,
        sequence=appointments.next_sequence(enterprise),
        create_time=tx.now,
        duties=[],
        version=1,
    )
    if not await Employees(tx, tenant_id).add(row):
        raise AlreadyEmployed("The member is employed here already.", field="member_id")
    act = Act(row.id, decider.employee_id, request.reason, title_after=row.title)
    await appointments.record(tx, keyring, tenant_id, row.sequence, act)
    events.employee_hired(tx, row)
    return convert.employee(row)


async def set_duties(
    tx: Transaction, keyring: Keyring, decider_account_id: UUID, request: SetDutiesRequest
) -> Employee:
    """Gives a manager these duties and takes all others; the duties that they have already change nothing.

    Raises AppointmentAboveRight, EmployeeNotFound and DutiesNeedAManager.
    """
    tenant_id = UUID(request.enterprise_id)
    enterprise, decider = await appointments.begin(tx, tenant_id, decider_account_id)
    if decider.title < TITLE_OWNER:
        raise AppointmentAboveRight("Duties are given by owners.", field="duties")
    row = await Employees(tx, tenant_id).get(UUID(request.employee_id))
    if row is None:
        raise EmployeeNotFound("The employee does not exist.", field="employee_id")
    if row.title != TITLE_MANAGER:
        raise DutiesNeedAManager("Only managers of the enterprise are given duties.", field="employee_id")
    before, after = row.duties, [int(each) for each in sorted(request.duties)]
    if after != before:
        row.duties = after
        row.version += 1
        act = Act(row.id, decider.employee_id, request.reason, duties_before=before, duties_after=after)
        await appointments.record(tx, keyring, tenant_id, appointments.next_sequence(enterprise), act)
        events.duties_changed(tx, row)
    return convert.employee(row)
