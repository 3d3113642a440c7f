"""Makes what the tests of enterprise need, through its own interface."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from chassis import timestamps
from chassis.clock import Clock
from chassis.database import Scope, Transaction
from chassis.service import Running
from chassis.settings import ServiceSettings
from chassis.testing.callers import Callers
from chassis.testing.databases import ServiceDatabase
from chassis.testing.names import NameServer
from chassis.testing.waiting import until
from services.enterprise.store import Enterprises
from tests.enterprise.identity import Identity, Metadata, Person
from wrtn.access.v1.access_pb2 import TITLE_MEMBER, Duty, Role, Title
from wrtn.audit.v1.audit_pb2 import AuditEntry
from wrtn.enterprise.v1.access_pb2 import Access, ResolveAccessRequest
from wrtn.enterprise.v1.access_pb2_grpc import AccessServiceStub
from wrtn.enterprise.v1.deputies_pb2 import AppointDeputyRequest, Deputy
from wrtn.enterprise.v1.deputies_pb2_grpc import DeputyServiceStub
from wrtn.enterprise.v1.domains_pb2_grpc import DomainServiceStub
from wrtn.enterprise.v1.employees_pb2 import (
    Appointment,
    ChangeTitleRequest,
    DismissEmployeeRequest,
    Employee,
    Handover,
    HireEmployeeRequest,
    LeaveEnterpriseRequest,
    ListAppointmentsRequest,
    ListHandoversRequest,
    SetDutiesRequest,
)
from wrtn.enterprise.v1.employees_pb2_grpc import EmployeeServiceStub
from wrtn.enterprise.v1.enterprises_pb2 import CreateEnterpriseRequest
from wrtn.enterprise.v1.enterprises_pb2_grpc import EnterpriseServiceStub
from wrtn.enterprise.v1.events_pb2 import AuditRecorded
from wrtn.enterprise.v1.grant_requests_pb2_grpc import GrantRequestServiceStub
from wrtn.enterprise.v1.grants_pb2_grpc import GrantServiceStub
from wrtn.enterprise.v1.history_pb2_grpc import HistoryServiceStub
from wrtn.enterprise.v1.imports_pb2_grpc import ImportServiceStub
from wrtn.enterprise.v1.invitations_pb2_grpc import InvitationServiceStub
from wrtn.enterprise.v1.operations_pb2_grpc import OperationServiceStub
from wrtn.enterprise.v1.teams_pb2 import (
    AppointCompanionRequest,
    ArchiveTeamRequest,
    Companion,
    CreateTeamRequest,
    LeaveTeamRequest,
    ListTeamsRequest,
    MoveTeamRequest,
    RemoveCompanionRequest,
    RestoreTeamRequest,
    Team,
    UpdateTeamRequest,
)
from wrtn.enterprise.v1.teams_pb2_grpc import TeamServiceStub
from wrtn.enterprise.v1.visibility_pb2_grpc import VisibilityServiceStub
from wrtn.enterprise.v1.webhooks_pb2_grpc import WebhookServiceStub
from wrtn.identity.v1.mails_pb2 import SendMailRequest


@dataclass(frozen=True, slots=True)
class Worker:
    """An employee, acting with the account of their employment."""

    person: Person
    enterprise_id: str
    employee_id: str
    account_id: str
    metadata: Metadata


class World:
    """The running service, its identity, and stubs to call it with."""

    def __init__(
        self,
        running: Running[ServiceSettings],
        identity: Identity,
        database: ServiceDatabase,
        channel: grpc.aio.Channel,
        callers: Callers,
        dns: NameServer,
    ) -> None:
        self.running = running
        self.identity = identity
        self.database = database
        self.dns = dns
        self._callers = callers
        self.clock: Clock = running.runtime.clock
        self.enterprises = EnterpriseServiceStub(channel)
        self.employees = EmployeeServiceStub(channel)
        self.teams = TeamServiceStub(channel)
        self.deputies = DeputyServiceStub(channel)
        self.history = HistoryServiceStub(channel)
        self.access = AccessServiceStub(channel)
        self.domains = DomainServiceStub(channel)
        self.webhooks = WebhookServiceStub(channel)
        self.invitations = InvitationServiceStub(channel)
        self.imports = ImportServiceStub(channel)
        self.operations = OperationServiceStub(channel)
        self.grants = GrantServiceStub(channel)
        self.requests = GrantRequestServiceStub(channel)
        self.visibility = VisibilityServiceStub(channel)

    @property
    def peer(self) -> Metadata:
        """Answers the metadata of a call by another service."""
        return self._callers.peer("billing", "enterprise")

    def forget(self) -> None:
        """Has identity and the DNS forget what a test told them; members and their accounts stay."""
        self.identity.forget()
        self.dns.records.clear()
        self.dns.asked.clear()
        self.dns.broken = False

    def renewed(self, by: Worker) -> Worker:
        """Answers the employee with a new token, after the clock was moved."""
        return self.worker(by.person, by.enterprise_id, by.employee_id, by.account_id)

    async def owner(self, person: Person | None = None, time_zone: str = "") -> Worker:
        """Creates an enterprise; answers its owner."""
        founder = person or self.identity.join()
        request = CreateEnterpriseRequest(
            display_name="Acme", slug=f"a{self.clock.new_id().hex}", time_zone=time_zone
        )
        created = await self.enterprises.CreateEnterprise(request, metadata=self.identity.token(founder))
        return self.worker(founder, created.enterprise.id, created.employee_id, created.account_id)

    async def hire(self, by: Worker, title: Title.ValueType = TITLE_MEMBER) -> Worker:
        """Employs a new member; answers them."""
        person = self.identity.join()
        request = HireEmployeeRequest(
            enterprise_id=by.enterprise_id, member_id=str(person.member_id), title=title
        )
        hired = await self.employees.HireEmployee(request, metadata=by.metadata)
        return self.worker(person, by.enterprise_id, hired.id, hired.account_id)

    async def entrust(self, by: Worker, whom: Worker, *duties: Duty.ValueType) -> Employee:
        """Sets the duties of the employee."""
        request = SetDutiesRequest(
            enterprise_id=by.enterprise_id, employee_id=whom.employee_id, duties=duties, reason="Trusted."
        )
        return await self.employees.SetDuties(request, metadata=by.metadata)

    async def promote(self, by: Worker, whom: Worker, title: Title.ValueType, reason: str = "") -> Employee:
        """Changes the employee's title, up or down."""
        request = ChangeTitleRequest(
            enterprise_id=by.enterprise_id, employee_id=whom.employee_id, title=title, reason=reason
        )
        return await self.employees.ChangeTitle(request, metadata=by.metadata)

    async def dismiss(
        self, by: Worker, whom: Worker, successor: Worker | None = None, reason: str = ""
    ) -> Employee:
        """Dismisses the employee."""
        request = DismissEmployeeRequest(
            enterprise_id=by.enterprise_id,
            employee_id=whom.employee_id,
            successor_employee_id=successor.employee_id if successor else "",
            reason=reason,
        )
        return await self.employees.DismissEmployee(request, metadata=by.metadata)

    async def leave(self, who: Worker) -> None:
        """Ends their own employment."""
        request = LeaveEnterpriseRequest(enterprise_id=who.enterprise_id)
        await self.employees.LeaveEnterprise(request, metadata=who.metadata)

    async def handovers(self, by: Worker, whom: Worker) -> list[Handover]:
        """Answers the handovers of the employee's accounts."""
        request = ListHandoversRequest(enterprise_id=by.enterprise_id, employee_id=whom.employee_id)
        return list((await self.employees.ListHandovers(request, metadata=by.metadata)).handovers)

    async def remove(self, by: Worker, team_id: str, whom: Worker, reason: str = "") -> None:
        """Takes the employee out of the team."""
        request = RemoveCompanionRequest(
            enterprise_id=by.enterprise_id, team_id=team_id, employee_id=whom.employee_id, reason=reason
        )
        await self.teams.RemoveCompanion(request, metadata=by.metadata)

    async def leave_team(self, who: Worker, team_id: str) -> None:
        """Takes themself out of the team."""
        request = LeaveTeamRequest(enterprise_id=who.enterprise_id, team_id=team_id)
        await self.teams.LeaveTeam(request, metadata=who.metadata)

    async def deputise(
        self, by: Worker, whom: Worker, absent: Worker, team_id: str = "", days: float = 0.005
    ) -> Deputy:
        """Has the employee stand in for the absent one, by default for some seven minutes."""
        request = AppointDeputyRequest(
            enterprise_id=by.enterprise_id,
            employee_id=whom.employee_id,
            absent_employee_id=absent.employee_id,
            team_id=team_id,
            end_time=timestamps.of(self.clock.now() + timedelta(days=days)),
            reason="She is at sea.",
        )
        return await self.deputies.AppointDeputy(request, metadata=by.metadata)

    async def records(self, by: Worker, whom: Worker | None = None) -> list[Appointment]:
        """Answers the records of the enterprise, or of the employee, the newest first."""
        request = ListAppointmentsRequest(
            enterprise_id=by.enterprise_id, employee_id=whom.employee_id if whom else "", page_size=200
        )
        return list((await self.employees.ListAppointments(request, metadata=by.metadata)).appointments)

    async def resolve(self, whom: Worker, team_id: str = "", resource: str = "") -> Access:
        """Answers who the employee is, as the peers are told."""
        request = ResolveAccessRequest(
            enterprise_id=whom.enterprise_id,
            account_id=whom.account_id,
            member_id=str(whom.person.member_id),
            team_id=team_id,
            resource=resource,
        )
        return await self.access.ResolveAccess(request, metadata=self.peer)

    async def team(self, by: Worker, parent: str = "") -> str:
        """Creates a team; answers its id."""
        request = CreateTeamRequest(
            enterprise_id=by.enterprise_id, parent_team_id=parent, display_name="Team"
        )
        return (await self.teams.CreateTeam(request, metadata=by.metadata)).id

    async def move(
        self,
        by: Worker,
        team_id: str,
        parent: str = "",
        *,
        before: str = "",
        behind: str = "",
        etag: str = "",
    ) -> Team:
        """Moves the team."""
        request = MoveTeamRequest(
            enterprise_id=by.enterprise_id,
            team_id=team_id,
            parent_team_id=parent,
            etag=etag,
        )
        if before:
            request.before_team_id = before
        if behind:
            request.after_team_id = behind
        return await self.teams.MoveTeam(request, metadata=by.metadata)

    async def rename(self, by: Worker, team_id: str, name: str, etag: str = "") -> Team:
        """Renames the team."""
        request = UpdateTeamRequest(
            enterprise_id=by.enterprise_id, team=Team(id=team_id, display_name=name, etag=etag)
        )
        request.update_mask.paths.append("display_name")
        return await self.teams.UpdateTeam(request, metadata=by.metadata)

    async def archive(self, by: Worker, team_id: str, etag: str = "") -> Team:
        """Archives the team."""
        request = ArchiveTeamRequest(enterprise_id=by.enterprise_id, team_id=team_id, etag=etag)
        return await self.teams.ArchiveTeam(request, metadata=by.metadata)

    async def restore(self, by: Worker, team_id: str, etag: str = "") -> Team:
        """Restores the team."""
        request = RestoreTeamRequest(enterprise_id=by.enterprise_id, team_id=team_id, etag=etag)
        return await self.teams.RestoreTeam(request, metadata=by.metadata)

    async def children(self, by: Worker, parent: str = "", page_size: int = 200) -> list[str]:
        """Answers the sub-teams of one, or the teams at the top, in their order, read page by page."""
        request = ListTeamsRequest(
            enterprise_id=by.enterprise_id, parent_team_id=parent, top=not parent, page_size=page_size
        )
        found: list[str] = []
        while True:
            answer = await self.teams.ListTeams(request, metadata=by.metadata)
            found += [each.id for each in answer.teams]
            if not answer.next_page_token:
                return found
            request.page_token = answer.next_page_token

    async def appoint(self, by: Worker, team_id: str, whom: Worker, role: Role.ValueType) -> Companion:
        """Appoints the employee to the role in the team."""
        request = AppointCompanionRequest(
            enterprise_id=by.enterprise_id, team_id=team_id, employee_id=whom.employee_id, role=role
        )
        return await self.teams.AppointCompanion(request, metadata=by.metadata)

    def worker(self, person: Person, enterprise_id: str, employee_id: str, account_id: str) -> Worker:
        """Answers the employee with a token of theirs."""
        metadata = self.identity.token(person, UUID(account_id))
        return Worker(person, enterprise_id, employee_id, account_id, metadata)

    async def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Answers what the worker role sees: the outbox above all."""
        async with self.database.worker.snapshot(Scope()) as tx:
            found = await (await tx.driver()).execute(statement.encode(), parameters)
            return await found.fetchall()

    @asynccontextmanager
    async def appointing(self, by: Worker) -> AsyncIterator[Transaction]:
        """Holds a transaction that is appointing in the enterprise: all others there wait for its end."""
        tenant_id = UUID(by.enterprise_id)
        async with self.database.app.transaction(Scope.of(tenant_id)) as tx:
            await Enterprises(tx, tenant_id).lock()
            yield tx

    async def waits_for_a_lock(self, many: int = 1) -> None:
        """Returns once so many transactions wait for a lock of another one."""
        async with asyncio.timeout(15):
            while len(await self.rows("SELECT FROM pg_locks WHERE NOT granted")) < many:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)

    async def subjects(self, by: Worker) -> list[str]:
        """Answers the subjects of the enterprise's events but the audit's, without the package, in order."""
        found = await self.rows(
            "SELECT subject FROM wrtn_outbox WHERE subject NOT LIKE '%%.audit.recorded'"
            " AND tenant_id = %s ORDER BY id",
            by.enterprise_id,
        )
        return [row[0].removeprefix("wrtn.enterprise.v1.") for row in found]

    async def mailed(self, to: Worker) -> list[SendMailRequest]:
        """Waits for mail to the employee; answers it."""

        def sent() -> list[SendMailRequest]:
            member_id = str(to.person.member_id)
            return [each for each in self.identity.mails.values() if each.member_id == member_id]

        await until(lambda: bool(sent()))
        return sent()

    async def audited(self, tenant_id: str, action: str = "") -> list[AuditEntry]:
        """Answers the audit entries of the tenant, or those of one action, in order."""
        found = await self.rows(
            "SELECT payload FROM wrtn_outbox WHERE subject LIKE '%%.audit.recorded' AND tenant_id = %s"
            " ORDER BY id",
            tenant_id,
        )
        entries = [AuditRecorded.FromString(row[0]).entry for row in found]
        return [each for each in entries if action in ("", each.action)]


def refusal(error: grpc.aio.AioRpcError) -> tuple[grpc.StatusCode, str]:
    """Answers the code and the reason of a refused call."""
    status = rpc_status.from_call(error)
    info = ErrorInfo()
    for detail in status.details if status is not None else ():
        if detail.Is(ErrorInfo.DESCRIPTOR):
            detail.Unpack(info)
    return error.code(), info.reason


async def refused(call: Awaitable[object]) -> tuple[grpc.StatusCode, str]:
    """Answers the code and the reason by which the call is refused; fails if it is not."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal(caught.value)
