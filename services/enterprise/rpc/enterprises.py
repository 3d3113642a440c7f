"""wrtn.enterprise.v1 EnterpriseService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis.call import current
from chassis.database import Scope
from chassis.idempotency import once
from chassis.paging import Page
from chassis.service import Runtime
from chassis.settings import ServiceSettings
from services.enterprise import convert, enterprises, store
from services.enterprise.identity import Identity
from services.enterprise.rpc.asking import after, sure
from wrtn.enterprise.v1 import enterprises_pb2
from wrtn.enterprise.v1.enterprises_pb2_grpc import EnterpriseServiceServicer

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
        member_id = sure(current().caller.member_id)
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
            return convert.enterprise(sure(await store.Enterprises(tx, UUID(request.enterprise_id)).get()))

    async def ListEnterprises(
        self, request: enterprises_pb2.ListEnterprisesRequest, context: Context
    ) -> enterprises_pb2.ListEnterprisesResponse:
        """Lists the caller's employers: found by the member's own rows, then read as their tenants."""
        page = Page.of(request)
        member_id = sure(current().caller.member_id)
        async with self._runtime.db.snapshot(Scope.of(member_id=member_id)) as tx:
            found = await store.employers(tx, member_id, after(page, UUID), page.size + 1)
        ids, token = page.cut(found, key=lambda tenant_id: (str(tenant_id),))
        async with self._runtime.db.snapshot(Scope.of(*ids)) as tx:
            rows = await store.enterprises(tx, ids)
        return enterprises_pb2.ListEnterprisesResponse(
            enterprises=[convert.enterprise(row) for row in rows], next_page_token=token
        )
