"""wrtn.enterprise.v1 GrantRequestService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis.call import Access, current
from chassis.database import Transaction
from chassis.idempotency import once
from chassis.paging import Page
from chassis.service import Runtime
from chassis.settings import ServiceSettings
from services.enterprise import store
from services.enterprise.errors import GrantRequestNotFound, TeamNotFound
from services.enterprise.identity import Identity
from services.enterprise.rights import grant_requests, grants
from services.enterprise.rpc.asking import sure
from wrtn.access.v1.access_pb2 import ROLE_MANAGER, TITLE_MANAGER
from wrtn.enterprise.v1 import grant_requests_pb2 as pb
from wrtn.enterprise.v1.grant_requests_pb2_grpc import GrantRequestServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class GrantRequests(GrantRequestServiceServicer):
    """Takes requests for rights, shows and decides them."""

    def __init__(self, runtime: Runtime[ServiceSettings], identity: Identity) -> None:
        self._runtime = runtime
        self._identity = identity

    async def CreateGrantRequest(
        self, request: pb.CreateGrantRequestRequest, context: Context
    ) -> pb.GrantRequest:
        """Requests the right for the caller."""
        team_id = UUID(request.team_id) if request.team_id else None

        async def work(tx: Transaction) -> pb.GrantRequest:
            desk = await self._desk(tx, request.enterprise_id, team_id)
            return await grant_requests.create(desk, request)

        return await once(self._runtime.db, current().caller.scope, request, work)

    async def GetGrantRequest(self, request: pb.GetGrantRequestRequest, context: Context) -> pb.GrantRequest:
        """Gets the request, for its requester and those who run their team or the enterprise."""
        tenant_id, caller = UUID(request.enterprise_id), current().caller
        async with self._runtime.db.snapshot(caller.scope) as tx:
            row = await grant_requests.found(tx, tenant_id, UUID(request.grant_request_id))
            own = sure(await store.Rights(tx, tenant_id).of_member(sure(caller.member_id), row.team_id))
            if own.employee_id != row.employee_id and not _runs(own):
                raise GrantRequestNotFound("The request does not exist.", field="grant_request_id")
            return (await grant_requests.shown(tx, self._runtime.keyring, tenant_id, [row]))[0]

    async def ListGrantRequests(
        self, request: pb.ListGrantRequestsRequest, context: Context
    ) -> pb.ListGrantRequestsResponse:
        """Lists what the caller may see of the requests, the newest first."""
        page = Page.of(request)
        tenant_id, caller = UUID(request.enterprise_id), current().caller
        team_id = UUID(request.team_id) if request.team_id else None
        async with self._runtime.db.snapshot(caller.scope) as tx:
            own = sure(await store.Rights(tx, tenant_id).of_member(sure(caller.member_id), team_id))
            if team_id is not None and own.team is None:
                raise TeamNotFound("The team does not exist.", field="team_id")
            found = await store.GrantRequests(tx, tenant_id).page(
                page.after(int),
                page.size + 1,
                employee_id=None if _runs(own) else own.employee_id,
                team_id=team_id,
                state=request.state,
            )
            rows, token = page.cut(found, key=lambda row: (str(row.sequence),))
            shown = await grant_requests.shown(tx, self._runtime.keyring, tenant_id, rows)
        return pb.ListGrantRequestsResponse(grant_requests=shown, next_page_token=token)

    async def ApproveGrantRequest(
        self, request: pb.ApproveGrantRequestRequest, context: Context
    ) -> pb.GrantRequest:
        """Approves the request; from then on this process knows what it changed."""
        return await self._decide(request, approve=True)

    async def RefuseGrantRequest(
        self, request: pb.RefuseGrantRequestRequest, context: Context
    ) -> pb.GrantRequest:
        """Refuses the request."""
        return await self._decide(request, approve=False)

    async def WithdrawGrantRequest(
        self, request: pb.WithdrawGrantRequestRequest, context: Context
    ) -> pb.GrantRequest:
        """Withdraws the caller's request."""

        async def work(tx: Transaction) -> pb.GrantRequest:
            desk = await self._desk(tx, request.enterprise_id, None)
            row = await grant_requests.open_one(tx, desk.tenant_id, UUID(request.grant_request_id))
            return await grant_requests.withdraw(desk, row)

        return await once(self._runtime.db, current().caller.scope, request, work)

    async def _decide(
        self, request: pb.ApproveGrantRequestRequest | pb.RefuseGrantRequestRequest, *, approve: bool
    ) -> pb.GrantRequest:
        caller = current().caller
        await self._identity.require_acting(caller)

        async def work(tx: Transaction) -> pb.GrantRequest:
            tenant_id, request_id = UUID(request.enterprise_id), UUID(request.grant_request_id)
            team_id = (await grant_requests.found(tx, tenant_id, request_id)).team_id
            desk = await self._desk(tx, request.enterprise_id, team_id)
            row = await grant_requests.open_one(tx, tenant_id, request_id)
            return await grant_requests.decide(desk, row, approve=approve, reason=request.reason)

        decided = await once(self._runtime.db, caller.scope, request, work)
        self._runtime.access.drop([UUID(request.enterprise_id)])
        return decided

    async def _desk(self, tx: Transaction, enterprise_id: str, team_id: UUID | None) -> grants.Desk:
        member_id = sure(current().caller.member_id)
        return await grants.begin(tx, self._runtime.keyring, UUID(enterprise_id), member_id, team_id)


def _runs(own: Access) -> bool:
    """Whether one runs the enterprise, or the team that the access was resolved for."""
    return own.title >= TITLE_MANAGER or (own.team is not None and own.team.role >= ROLE_MANAGER)
