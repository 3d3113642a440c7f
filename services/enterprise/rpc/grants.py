"""wrtn.enterprise.v1 GrantService."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import grpc
from google.protobuf.message import Message

from chassis.call import current
from chassis.database import Snapshot, Transaction
from chassis.idempotency import once
from chassis.paging import Page
from chassis.service import Runtime
from chassis.settings import ServiceSettings
from services.enterprise import convert, reasons, store
from services.enterprise.errors import EmployeeNotFound, ExplanationAboveRight, TeamNotFound
from services.enterprise.identity import Identity
from services.enterprise.rights import access, explaining, grants
from services.enterprise.rpc.asking import sure
from services.enterprise.store.grants import Place
from wrtn.enterprise.v1 import grants_pb2 as pb
from wrtn.enterprise.v1.grants_pb2_grpc import GrantServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]

Request = TypeVar(
    "Request",
    pb.SetGrantRequest,
    pb.ClearGrantRequest,
    pb.DenyInTeamRequest,
    pb.LiftInTeamRequest,
    pb.SetGrantDefaultRequest,
)
R = TypeVar("R", bound=Message)


class Grants(GrantServiceServicer):
    """Sets, shows and explains what may be used."""

    def __init__(self, runtime: Runtime[ServiceSettings], identity: Identity) -> None:
        self._runtime = runtime
        self._identity = identity

    async def SetGrant(self, request: pb.SetGrantRequest, context: Context) -> pb.Grant:
        """Sets a grant of the enterprise; from then on this process knows it."""
        team_id = _team(request.team_id)
        change = grants.of_enterprise(
            request.resource, request.effect, team_id, request.reason, locked=request.locked
        )

        async def work(tx: Transaction) -> pb.Grant:
            desk = await self._desk(tx, request.enterprise_id, team_id)
            return convert.grant(sure(await grants.put(desk, change)))

        return await self._changed(request, work)

    async def ClearGrant(self, request: pb.ClearGrantRequest, context: Context) -> pb.ClearGrantResponse:
        """Takes a grant of the enterprise back."""
        team_id = _team(request.team_id)
        change = grants.of_enterprise(request.resource, pb.EFFECT_UNSPECIFIED, team_id, request.reason)

        async def work(tx: Transaction) -> pb.ClearGrantResponse:
            await grants.put(await self._desk(tx, request.enterprise_id, team_id), change)
            return pb.ClearGrantResponse()

        return await self._changed(request, work)

    async def DenyInTeam(self, request: pb.DenyInTeamRequest, context: Context) -> pb.Grant:
        """Sets a deny of the team's own."""
        team_id = UUID(request.team_id)
        change = grants.of_team(request.resource, pb.EFFECT_DENY, team_id, request.reason)

        async def work(tx: Transaction) -> pb.Grant:
            desk = await self._desk(tx, request.enterprise_id, team_id)
            return convert.grant(sure(await grants.put(desk, change)))

        return await self._changed(request, work)

    async def LiftInTeam(self, request: pb.LiftInTeamRequest, context: Context) -> pb.LiftInTeamResponse:
        """Lifts a deny of the team's own."""
        team_id = UUID(request.team_id)
        change = grants.of_team(request.resource, pb.EFFECT_UNSPECIFIED, team_id, request.reason)

        async def work(tx: Transaction) -> pb.LiftInTeamResponse:
            await grants.put(await self._desk(tx, request.enterprise_id, team_id), change)
            return pb.LiftInTeamResponse()

        return await self._changed(request, work)

    async def SetGrantDefault(self, request: pb.SetGrantDefaultRequest, context: Context) -> pb.GrantDefault:
        """Sets the default of a kind."""

        async def work(tx: Transaction) -> pb.GrantDefault:
            desk = await self._desk(tx, request.enterprise_id, None)
            row = await grants.put_default(desk, request.kind, request.effect, request.reason)
            return convert.grant_default(row)

        return await self._changed(request, work)

    async def ListGrants(self, request: pb.ListGrantsRequest, context: Context) -> pb.ListGrantsResponse:
        """Lists what is set at a place, or all that bears on it."""
        page = Page.of(request)
        tenant_id, team_id = UUID(request.enterprise_id), _team(request.team_id)
        async with self._runtime.db.snapshot(current().caller.scope) as tx:
            line = await _line(tx, tenant_id, team_id)
            found = await store.Grants(tx, tenant_id).page(
                line if request.effective else line[:1],
                of_enterprise=request.effective or team_id is None,
                after=page.after(_place),
                size=page.size + 1,
            )
        rows, token = page.cut(found, key=lambda row: (str(row[0]), row[1].resource, str(row[1].layer)))
        return pb.ListGrantsResponse(grants=[convert.grant(row) for _, row in rows], next_page_token=token)

    async def ListGrantDefaults(
        self, request: pb.ListGrantDefaultsRequest, context: Context
    ) -> pb.ListGrantDefaultsResponse:
        """Lists the defaults by kind."""
        page = Page.of(request)
        async with self._runtime.db.snapshot(current().caller.scope) as tx:
            known = store.GrantDefaults(tx, UUID(request.enterprise_id))
            found = await known.page(page.after(str) or "", page.size + 1)
        rows, token = page.cut(found, key=lambda row: (row.kind,))
        return pb.ListGrantDefaultsResponse(
            grant_defaults=[convert.grant_default(row) for row in rows], next_page_token=token
        )

    async def ListGrantChanges(
        self, request: pb.ListGrantChangesRequest, context: Context
    ) -> pb.ListGrantChangesResponse:
        """Lists the changes, the newest first."""
        page = Page.of(request)
        tenant_id, team_id = UUID(request.enterprise_id), _team(request.team_id)
        async with self._runtime.db.snapshot(current().caller.scope) as tx:
            await _line(tx, tenant_id, team_id)
            found = await store.GrantChanges(tx, tenant_id).page(page.after(int), page.size + 1, team_id)
            rows, token = page.cut(found, key=lambda row: (str(row.sequence),))
            said = await reasons.opened(
                tx, self._runtime.keyring, grants.REASON, tenant_id, [(row.id, row.reason) for row in rows]
            )
        return pb.ListGrantChangesResponse(
            grant_changes=[convert.grant_change(*pair) for pair in zip(rows, said, strict=True)],
            next_page_token=token,
        )

    async def ExplainGrant(
        self, request: pb.ExplainGrantRequest, context: Context
    ) -> pb.ExplainGrantResponse:
        """Explains the decision, read anew."""
        caller = current().caller
        tenant_id, team_id = UUID(request.enterprise_id), _team(request.team_id)
        async with self._runtime.db.snapshot(caller.scope) as tx:
            rights = store.Rights(tx, tenant_id)
            asker = sure(await rights.of_member(sure(caller.member_id)))
            person_id = UUID(request.employee_id) if request.employee_id else asker.employee_id
            employee = await store.Employees(tx, tenant_id).get(person_id)
            person = await rights.of_member(employee.member_id, team_id) if employee is not None else None
            if person is None:
                raise EmployeeNotFound("The employee does not exist.", field="employee_id")
            if not explaining.may_ask(asker, person, await store.Teams(tx, tenant_id).lines([*person.roles])):
                raise ExplanationAboveRight("The caller may not ask about this person.", field="employee_id")
            if team_id is not None and person.team is None:
                raise TeamNotFound("The team does not exist.", field="team_id")
            decision = await access.decided(tx, person, request.resource)
        allowed, steps = explaining.explained(person, decision, request.resource)
        return pb.ExplainGrantResponse(allowed=allowed, steps=steps)

    async def _desk(self, tx: Transaction, enterprise_id: str, team_id: UUID | None) -> grants.Desk:
        member_id = sure(current().caller.member_id)
        return await grants.begin(tx, self._runtime.keyring, UUID(enterprise_id), member_id, team_id)

    async def _changed(self, request: Request, work: Callable[[Transaction], Awaitable[R]]) -> R:
        """Does the work once, for a caller who may act at this moment; then this process knows of it.

        The event does the same in every process, a moment later.
        """
        caller = current().caller
        await self._identity.require_acting(caller)
        changed = await once(self._runtime.db, caller.scope, request, work)
        self._runtime.access.drop([UUID(request.enterprise_id)])
        return changed


async def _line(tx: Snapshot, tenant_id: UUID, team_id: UUID | None) -> Sequence[UUID]:
    """Answers the team and those above it, none for the enterprise; raises TeamNotFound."""
    if team_id is None:
        return ()
    line = (await store.Teams(tx, tenant_id).lines([team_id])).get(team_id)
    if line is None:
        raise TeamNotFound("The team does not exist.", field="team_id")
    return line


def _team(text: str) -> UUID | None:
    return UUID(text) if text else None


def _place(far: str, resource: str, layer: str) -> Place:
    return int(far), resource, int(layer)
