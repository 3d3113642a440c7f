"""Employing members, changing their titles, and entrusting them with duties."""

from __future__ import annotations

from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Transaction
from services.enterprise import convert, events, models, plan_limits
from services.enterprise.errors import (
    AlreadyEmployed,
    AppointmentAboveRight,
    DutiesNeedAManager,
    HandoverPending,
    LastOwner,
)
from services.enterprise.people import appointing, appointments, deputies
from services.enterprise.people.appointments import Act, Decider
from services.enterprise.store import Employees, Handovers
from wrtn.access.v1.access_pb2 import TITLE_MANAGER, TITLE_OWNER, TITLE_UNSPECIFIED
from wrtn.enterprise.v1.employees_pb2 import (
    ChangeTitleRequest,
    Employee,
    HireEmployeeRequest,
    SetDutiesRequest,
)


async def hire(tx: Transaction, keyring: Keyring, decider_id: UUID, request: HireEmployeeRequest) -> Employee:
    """Employs the member, who must be known to be active, and chooses the account that holds their work.

    One who was dismissed is the same employee again. Raises AppointmentAboveRight, AlreadyEmployed,
    HandoverPending and PlanLimitReached.
    """
    tenant_id = UUID(request.enterprise_id)
    enterprise, decider = await appointments.begin(tx, tenant_id, decider_id)
    if not appointing.may_hire(decider.title, request.title):
        raise AppointmentAboveRight("This title is not the caller's to give.", field="title")
    member_id = UUID(request.member_id)
    row = await employ(tx, keyring, enterprise, decider.employee_id, member_id, request.title, request.reason)
    return convert.employee(row)


async def employ(
    tx: Transaction,
    keyring: Keyring,
    enterprise: models.Enterprise,
    decider_id: Decider,
    member_id: UUID,
    title: int,
    reason: str = "",
) -> models.Employee:
    """Employs the member in the locked enterprise.

    Raises AlreadyEmployed, HandoverPending and PlanLimitReached.
    """
    row = await Employees(tx, enterprise.tenant_id).of_member(member_id)
    if row is None or row.title == TITLE_UNSPECIFIED:
        await plan_limits.require_employee(tx, enterprise.tenant_id)
    if row is None:
        row = _new(tx, enterprise, member_id, title)
        tx.session.add(row)
    else:
        await _employ_again(tx, row, title)
    act = Act("employee.hired", row.id, decider_id, reason, title_after=row.title)
    await appointments.record(tx, keyring, enterprise, act)
    events.employee_hired(tx, row)
    return row


async def set_duties(
    tx: Transaction, keyring: Keyring, decider_id: UUID, request: SetDutiesRequest
) -> Employee:
    """Gives a manager these duties and takes all others; the duties that they have already change nothing.

    Raises AppointmentAboveRight, EmployeeNotFound and DutiesNeedAManager.
    """
    tenant_id = UUID(request.enterprise_id)
    enterprise, decider = await appointments.begin(tx, tenant_id, decider_id)
    if decider.title < TITLE_OWNER:
        raise AppointmentAboveRight("Duties are given by owners.", field="duties")
    row = await appointments.employed(tx, tenant_id, request.employee_id)
    if row.title != TITLE_MANAGER:
        raise DutiesNeedAManager("Only managers of the enterprise are given duties.", field="employee_id")
    before, after = row.duties, [int(each) for each in sorted(request.duties)]
    if after != before:
        row.duties = after
        row.version += 1
        act = Act(
            "employee.duties_changed",
            row.id,
            decider.employee_id,
            request.reason,
            duties_before=before,
            duties_after=after,
        )
        await appointments.record(tx, keyring, enterprise, act)
        events.duties_changed(tx, row)
    return convert.employee(row)


async def change_title(
    tx: Transaction, keyring: Keyring, decider_id: UUID, request: ChangeTitleRequest
) -> Employee:
    """Changes the title; one that they have already changes nothing. Duties end with the title of manager.

    Raises EmployeeNotFound, AppointmentAboveRight and LastOwner.
    """
    tenant_id = UUID(request.enterprise_id)
    enterprise, decider = await appointments.begin(tx, tenant_id, decider_id)
    row = await appointments.employed(tx, tenant_id, request.employee_id)
    themself = row.id == decider.employee_id
    if not appointing.may_retitle(decider.title, row.title, request.title, themself=themself):
        raise AppointmentAboveRight("This title is not the caller's to give, or to change.", field="title")
    if request.title == row.title:
        return convert.employee(row)
    await require_another_owner(tx, row)
    act = Act(
        "employee.title_changed",
        row.id,
        decider.employee_id,
        request.reason,
        title_before=row.title,
        title_after=request.title,
        duties_before=row.duties,
    )
    row.title, row.duties = request.title, []
    row.version += 1
    await appointments.record(tx, keyring, enterprise, act)
    await deputies.end_where_void(tx, keyring, enterprise, act)
    events.title_changed(tx, row)
    return convert.employee(row)


async def require_another_owner(tx: Transaction, row: models.Employee) -> None:
    """Raises LastOwner if the employee is the only owner. Call it behind the lock of the enterprise."""
    if row.title == TITLE_OWNER and await Employees(tx, row.tenant_id).count_owners() == 1:
        raise LastOwner("The enterprise would have no owner: appoint another one first.", field="employee_id")


def _new(tx: Transaction, enterprise: models.Enterprise, member_id: UUID, title: int) -> models.Employee:
    return models.Employee(
        tenant_id=enterprise.tenant_id,
        id=tx.clock.new_id(),
        member_id=member_id,
        account_id=tx.clock.new_id(),
        title=title,
        sequence=appointments.next_sequence(enterprise),
        create_time=tx.now,
        duties=[],
        version=1,
    )


async def _employ_again(tx: Transaction, row: models.Employee, title: int) -> None:
    """Gives the title to one who was dismissed, and a new account if theirs has gone to another."""
    if row.title != TITLE_UNSPECIFIED:
        raise AlreadyEmployed("The member is employed here already.", field="member_id")
    handovers = Handovers(tx, row.tenant_id)
    if await handovers.pending(row.id):
        raise HandoverPending("The member's account is being handed over.", field="member_id", retry_after=5)
    if row.account_id not in await handovers.accounts_of(row):
        row.account_id = tx.clock.new_id()
    row.title, row.dismiss_time = title, None
    row.version += 1
