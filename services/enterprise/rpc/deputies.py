"""wrtn.enterprise.v1 DeputyService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis.call import current
from chassis.paging import Page
from chassis.service import Runtime
from services.enterprise import convert, store
from services.enterprise.people import deputies
from services.enterprise.rpc.deciding import Deciding
from services.enterprise.settings import EnterpriseSettings
from wrtn.enterprise.v1 import deputies_pb2
from wrtn.enterprise.v1.deputies_pb2_grpc import DeputyServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class Deputies(DeputyServiceServicer):
    """Appoints and shows deputies."""

    def __init__(self, runtime: Runtime[EnterpriseSettings], deciding: Deciding) -> None:
        self._runtime = runtime
        self._deciding = deciding

    async def AppointDeputy(
        self, request: deputies_pb2.AppointDeputyRequest, context: Context
    ) -> deputies_pb2.Deputy:
        """Appoints the deputy."""
        return await self._deciding.decide(request.enterprise_id, request, deputies.appoint)

    async def EndDeputy(
        self, request: deputies_pb2.EndDeputyRequest, context: Context
    ) -> deputies_pb2.Deputy:
        """Ends the deputyship."""
        return await self._deciding.decide(request.enterprise_id, request, deputies.end)

    async def ListDeputies(
        self, request: deputies_pb2.ListDeputiesRequest, context: Context
    ) -> deputies_pb2.ListDeputiesResponse:
        """Lists the deputyships that are not over."""
        page = Page.of(request)
        async with self._runtime.db.snapshot(current().caller.scope) as tx:
            known = store.Deputies(tx, UUID(request.enterprise_id))
            found = await known.page(page.after(UUID), page.size + 1)
        rows, token = page.cut(found, key=lambda row: (str(row.id),))
        return deputies_pb2.ListDeputiesResponse(
            deputies=[convert.deputy(row) for row in rows], next_page_token=token
        )
