"""The servicers: request to one call to response."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import grpc

from chassis.access.employment import AccessSource
from chassis.call import current
from chassis.database import Scope
from chassis.idempotency import once, replayed
from chassis.paging import Page, PageTokenInvalid
from chassis.service import Runtime
from chassis.settings import ServiceSettings
from services.enterprise import appointments, convert, employees, enterprises, models, store, teams
from services.enterprise.errors import EmployeeNotFound, TeamNotFound
from services.enterprise.identity import Identity
from wrtn.enterprise.v1 import access_pb2, employees_pb2, enterprises_pb2, teams_pb2
from wrtn.enterprise.v1.access_pb2_grpc import AccessServiceServicer
from wrtn.enterprise.v1.employees_pb2_grpc import EmployeeServiceServicer
from wrtn.enterprise.v1.enterprises_pb2_grpc import EnterpriseServiceServicer
from wrtn.enterprise.v1.teams_pb2_grpc import TeamServiceServicer

T = TypeVar("T")
Context = grpc.aio.ServicerContext[Any, Any]


class Enterprises(EnterpriseServiceServicer):
    """Creates and shows enterprises."""

    def __init__(self, runtime: Runtime[ServiceSettings], identity: Identity) -> None:
        self._runtime = runtime
        self._identity = identity

    async def CreateEnterprise(
        self, request: enterprises_pb2.CreateEnterpriseRequest, context: Context
    ) -> enterprises_pb2.CreateEnterpriseResponse:
        """Creates the enterprise, then has its owner's account opened."""
        runtime = self._runtime
        member_id = _sure(current().caller.member_id)
        enterprise_id = runtime.clock.new_id()
        created = await once(
            runtime.db,
            Scope.of(enterprise_id, member_id=member_id),
            request,
            lambda tx: enterprises.create(tx, runtime.keyring, enterprise_id, member_id, request),
        )
        await self._identity.open_account(
            account_id=created.account_id, enterprise_id=created.enterprise.id, member_id=member_id
        )
        return created

    async def GetEnterprise(
        self, request: enterprises_pb2.GetEnterpriseRequest, context: Context
    ) -> enterprises_pb2.Enterprise:
        """Gets the enterprise."""
        async with self._runtime.db.snapshot(current().caller.scope) as tx:
            return convert.enterprise(_sure(await store.Enterprises(tx, UUID(request.enterprise_id)).get()))

    async def ListEnterprises(
        self, request: enterprises_pb2.ListEnterprisesRequest, context: Context
    ) -> enterprises_pb2.ListEnterprisesResponse:
        """Lists the caller's employers: found by the member's own rows, then read as their tenants."""
        page = Page.of(request)
        member_id = _sure(current().caller.member_id)
        async with self._runtime.db.snapshot(Scope.of(member_id=member_id)) as tx:
            found = await store.employers(tx, member_id, _after(page, UUID), page.size + 1)
        ids, token = page.cut(found, key=lambda tenant_id: (str(tenant_id),))
        async with self._runtime.db.snapshot(Scope.of(*ids)) as tx:
            rows = await store.enterprises(tx, ids)
        return enterprises_pb2.ListEnterprisesResponse(
            enterprises=[convert.enterprise(row) for row in rows], next_page_token=token
        )


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
            account_id = _sure(caller.account_id)
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
                _after(page, int) or 0, page.size + 1
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
            found = await store.Appointments(tx, tenant_id).page(
                _after(page, int), page.size + 1, employee_id
            )
            rows, token = page.cut(found, key=lambda row: (str(row.sequence),))
            reasons = await appointments.reasons(tx, self._runtime.keyring, rows)
        return employees_pb2.ListAppointmentsResponse(
            appointments=[convert.appointment(*pair) for pair in zip(rows, reasons, strict=True)],
            next_page_token=token,
        )


class Teams(TeamServiceServicer):
    """Makes and shows teams, and appoints and shows their companions."""

    def __init__(self, runtime: Runtime[ServiceSettings], identity: Identity) -> None:
        self._runtime = runtime
        self._identity = identity

    async def CreateTeam(self, request: teams_pb2.CreateTeamRequest, context: Context) -> teams_pb2.Team:
        """Creates the team."""
        return await once(
            self._runtime.db, current().caller.scope, request, lambda tx: teams.create(tx, request)
        )

    async def GetTeam(self, request: teams_pb2.GetTeamRequest, context: Context) -> teams_pb2.Team:
        """Gets the team with the teams above it."""
        async with self._runtime.db.snapshot(current().caller.scope) as tx:
            found = store.Teams(tx, UUID(request.enterprise_id))
            row = await found.get(UUID(request.team_id))
            if row is None:
                raise TeamNotFound("The team does not exist.", field="team_id")
            return convert.team(row, (await found.lines([row.id]))[row.id][1:])

    async def ListTeams(
        self, request: teams_pb2.ListTeamsRequest, context: Context
    ) -> teams_pb2.ListTeamsResponse:
        """Lists the teams, or the direct sub-teams of one."""
        page = Page.of(request)
        parent_id = UUID(request.parent_team_id) if request.parent_team_id else None
        async with self._runtime.db.snapshot(current().caller.scope) as tx:
            known = store.Teams(tx, UUID(request.enterprise_id))
            if parent_id is not None and await known.get(parent_id) is None:
                raise TeamNotFound("The team above does not exist.", field="parent_team_id")
            found = await known.page(_after(page, UUID), page.size + 1, parent_id)
            rows, token = page.cut(found, key=lambda row: (str(row.id),))
            lines = await known.lines([row.id for row in rows])
        return teams_pb2.ListTeamsResponse(
            teams=[convert.team(row, lines[row.id][1:]) for row in rows], next_page_token=token
        )

    async def AppointCompanion(
        self, request: teams_pb2.AppointCompanionRequest, context: Context
    ) -> teams_pb2.Companion:
        """Appoints the employee to a role in the team; from then on this process knows it."""
        runtime, caller = self._runtime, current().caller
        await self._identity.require_acting(caller)
        account_id = _sure(caller.account_id)
        appointed = await once(
            runtime.db,
            caller.scope,
            request,
            lambda tx: teams.appoint(tx, runtime.keyring, account_id, request),
        )
        # The event does the same in every process, a moment later.
        runtime.access.drop([UUID(request.enterprise_id)])
        return appointed

    async def ListCompanions(
        self, request: teams_pb2.ListCompanionsRequest, context: Context
    ) -> teams_pb2.ListCompanionsResponse:
        """Lists the companions of the team."""
        page = Page.of(request)
        tenant_id, team_id = UUID(request.enterprise_id), UUID(request.team_id)
        async with self._runtime.db.snapshot(current().caller.scope) as tx:
            if await store.Teams(tx, tenant_id).get(team_id) is None:
                raise TeamNotFound("The team does not exist.", field="team_id")
            found = await store.Companions(tx, tenant_id).page(team_id, _after(page, UUID), page.size + 1)
        rows, token = page.cut(found, key=lambda row: (str(row.id),))
        return teams_pb2.ListCompanionsResponse(
            companions=[convert.companion(row) for row in rows], next_page_token=token
        )


class Access(AccessServiceServicer):
    """Says who an account is in its enterprise."""

    def __init__(self, resolve: AccessSource) -> None:
        self._resolve = resolve

    async def ResolveAccess(
        self, request: access_pb2.ResolveAccessRequest, context: Context
    ) -> access_pb2.Access:
        """Resolves the access."""
        return await self._resolve(request)


async def _employee(known: store.Employees, employee_id: str) -> models.Employee:
    """Answers the employee; raises EmployeeNotFound."""
    row = await known.get(UUID(employee_id))
    if row is None:
        raise EmployeeNotFound("The employee does not exist.", field="employee_id")
    return row


def _after(page: Page, read: Callable[[str], T]) -> T | None:
    """Answers the key after which the page begins; raises PageTokenInvalid for a forged one."""
    if not page.cursor:
        return None
    try:
        return read(page.cursor[0])
    except ValueError as error:
        raise PageTokenInvalid from error


def _sure(value: T | None) -> T:
    """Answers what the access rule of the method has made sure of; its absence is a defect."""
    if value is None:
        raise LookupError("the access rule admitted a caller without what it promises")
    return value
