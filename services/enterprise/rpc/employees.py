"""wrtn.enterprise.v1 EmployeeService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis.call import current
from chassis.idempotency import replayed
from chassis.paging import Page
from chassis.service import Runtime
from services.enterprise import convert, models, store
from services.enterprise.errors import EmployeeNotFound, TeamNotFound
from services.enterprise.identity import Identity
from services.enterprise.people import appointments, dismissals, employees, handovers
from services.enterprise.people.handovers import HandoverSaga
from services.enterprise.rpc.deciding import Deciding
from services.enterprise.settings import EnterpriseSettings
from wrtn.enterprise.v1 import employees_pb2
from wrtn.enterprise.v1.employees_pb2_grpc import EmployeeServiceServicer

_ACTIVE = {employees_pb2.EMPLOYEE_STATE_ACTIVE: True, employees_pb2.EMPLOYEE_STATE_DISMISSED: False}

Context = grpc.aio.ServicerContext[Any, Any]


class Employees(EmployeeServiceServicer):
    """Employs and dismisses members, and shows employees and appointments."""

    def __init__(
        self, runtime: Runtime[EnterpriseSettings], identity: Identity, deciding: Deciding, saga: HandoverSaga
    ) -> None:
        self._runtime = runtime
        self._identity = identity
        self._deciding = deciding
        self._saga = saga

    async def HireEmployee(
        self, request: employees_pb2.HireEmployeeRequest, context: Context
    ) -> employees_pb2.Employee:
        """Employs an active member, then has their account opened."""
        hired = await replayed(self._runtime.db, request, employees_pb2.Employee)
        if hired is None:
            await self._identity.require_active(request.member_id)
        hired = await self._deciding.decide(request.enterprise_id, request, employees.hire)
        await self._identity.open_account(
            account_id=hired.account_id, enterprise_id=hired.enterprise_id, member_id=hired.member_id
        )
        return hired

    async def SetDuties(
        self, request: employees_pb2.SetDutiesRequest, context: Context
    ) -> employees_pb2.Employee:
        """Sets the duties of a manager."""
        return await self._deciding.decide(request.enterprise_id, request, employees.set_duties)

    async def ChangeTitle(
        self, request: employees_pb2.ChangeTitleRequest, context: Context
    ) -> employees_pb2.Employee:
        """Changes the title."""
        return await self._deciding.decide(request.enterprise_id, request, employees.change_title)

    async def DismissEmployee(
        self, request: employees_pb2.DismissEmployeeRequest, context: Context
    ) -> employees_pb2.Employee:
        """Dismisses the employee, then begins to hand the accounts over; the job goes on if that fails."""
        dismissed = await self._deciding.decide(request.enterprise_id, request, dismissals.dismiss)
        await self._saga.advance(UUID(dismissed.enterprise_id), UUID(dismissed.id))
        return dismissed

    async def LeaveEnterprise(
        self, request: employees_pb2.LeaveEnterpriseRequest, context: Context
    ) -> employees_pb2.LeaveEnterpriseResponse:
        """Ends the caller's own employment."""
        return await self._deciding.decide(request.enterprise_id, request, dismissals.leave)

    async def HandOverAccounts(
        self, request: employees_pb2.HandOverAccountsRequest, context: Context
    ) -> employees_pb2.HandOverAccountsResponse:
        """Hands frozen accounts over; the job goes on if identity does not answer."""
        begun = await self._deciding.decide(request.enterprise_id, request, handovers.hand_over)
        await self._saga.advance(UUID(request.enterprise_id), UUID(request.employee_id))
        return begun

    async def ListHandovers(
        self, request: employees_pb2.ListHandoversRequest, context: Context
    ) -> employees_pb2.ListHandoversResponse:
        """Lists the handovers of the employee's accounts."""
        page = Page.of(request)
        tenant_id = UUID(request.enterprise_id)
        async with self._runtime.db.snapshot(current().caller.scope) as tx:
            row = await _employee(store.Employees(tx, tenant_id), request.employee_id)
            found = await store.Handovers(tx, tenant_id).page(row.id, page.after(UUID), page.size + 1)
        rows, token = page.cut(found, key=lambda each: (str(each.id),))
        return employees_pb2.ListHandoversResponse(
            handovers=[convert.handover(each) for each in rows], next_page_token=token
        )

    async def GetEmployee(
        self, request: employees_pb2.GetEmployeeRequest, context: Context
    ) -> employees_pb2.Employee:
        """Gets the employee."""
        async with self._runtime.db.snapshot(current().caller.scope) as tx:
            known = store.Employees(tx, UUID(request.enterprise_id))
            return convert.employee(await _employee(known, request.employee_id))

    async def ListEmployees(
        self, request: employees_pb2.ListEmployeesRequest, context: Context
    ) -> employees_pb2.ListEmployeesResponse:
        """Lists the employees in the order of employment."""
        page = Page.of(request)
        async with self._runtime.db.snapshot(current().caller.scope) as tx:
            found = await store.Employees(tx, UUID(request.enterprise_id)).page(
                page.after(int) or 0, page.size + 1, active=_ACTIVE.get(request.state)
            )
        rows, token = page.cut(found, key=lambda row: (str(row.sequence),))
        return employees_pb2.ListEmployeesResponse(
            employees=[convert.employee(row) for row in rows], next_page_token=token
        )

    async def ListAppointments(
        self, request: employees_pb2.ListAppointmentsRequest, context: Context
    ) -> employees_pb2.ListAppointmentsResponse:
        """Lists the appointments, the newest first."""
        page = Page.of(request)
        tenant_id = UUID(request.enterprise_id)
        async with self._runtime.db.snapshot(current().caller.scope) as tx:
            employee_id = None
            if request.employee_id:
                employee_id = (await _employee(store.Employees(tx, tenant_id), request.employee_id)).id
            team_id = None
            if request.team_id:
                team = await store.Teams(tx, tenant_id).get(UUID(request.team_id))
                if team is None:
                    raise TeamNotFound("The team does not exist.", field="team_id")
                team_id = team.id
            known = store.Appointments(tx, tenant_id)
            found = await known.page(page.after(int), page.size + 1, employee_id, team_id)
            rows, token = page.cut(found, key=lambda row: (str(row.sequence),))
            reasons = await appointments.reasons(tx, self._runtime.keyring, rows)
        return employees_pb2.ListAppointmentsResponse(
            appointments=[convert.appointment(*pair) for pair in zip(rows, reasons, strict=True)],
            next_page_token=token,
        )


async def _employee(known: store.Employees, employee_id: str) -> models.Employee:
    """Answers the employee; raises EmployeeNotFound."""
    row = await known.get(UUID(employee_id))
    if row is None:
        raise EmployeeNotFound("The employee does not exist.", field="employee_id")
    return row
