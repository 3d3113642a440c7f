"""wrtn.enterprise.v1 EmployeeService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis.call import current
from chassis.idempotency import once, replayed
from chassis.paging import Page
from chassis.service import Runtime
from chassis.settings import ServiceSettings
from services.enterprise import appointments, convert, employees, models, store
from services.enterprise.errors import EmployeeNotFound
from services.enterprise.identity import Identity
from services.enterprise.rpc.asking import after, sure
from wrtn.enterprise.v1 import employees_pb2
from wrtn.enterprise.v1.employees_pb2_grpc import EmployeeServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class Employees(EmployeeServiceServicer):
    """Employs members, and shows employees and appointments."""

    def __init__(self, runtime: Runtime[ServiceSettings], identity: Identity) -> None:
        self._runtime = runtime
        self._identity = identity

    async def HireEmployee(
        self, request: employees_pb2.HireEmployeeRequest, context: Context
    ) -> employees_pb2.Employee:
        """Employs an active member, then has their account opened."""
        runtime, caller = self._runtime, current().caller
        await self._identity.require_acting(caller)
        hired = await replayed(runtime.db, request, employees_pb2.Employee)
        if hired is None:
            await self._identity.require_active(request.member_id)
            account_id = sure(caller.account_id)
            hired = await once(
                runtime.db,
                caller.scope,
                request,
                lambda tx: employees.hire(tx, runtime.keyring, account_id, request),
            )
        await self._identity.open_account(
            account_id=hired.account_id, enterprise_id=hired.enterprise_id, member_id=hired.member_id
        )
        return hired

    async def SetDuties(
        self, request: employees_pb2.SetDutiesRequest, context: Context
    ) -> employees_pb2.Employee:
        """Sets the duties of a manager; from then on this process knows them."""
        runtime, caller = self._runtime, current().caller
        await self._identity.require_acting(caller)
        account_id = sure(caller.account_id)
        changed = await once(
            runtime.db,
            caller.scope,
            request,
            lambda tx: employees.set_duties(tx, runtime.keyring, account_id, request),
        )
        # The event does the same in every process, a moment later.
        runtime.access.drop([UUID(request.enterprise_id)])
        return changed

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
                after(page, int) or 0, page.size + 1
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
            found = await store.Appointments(tx, tenant_id).page(after(page, int), page.size + 1, employee_id)
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
