"""wrtn.enterprise.v1 AccessService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis.access.employment import AccessSource
from chassis.database import Database, Scope
from services.enterprise import convert, store
from wrtn.enterprise.v1 import access_pb2
from wrtn.enterprise.v1.access_pb2_grpc import AccessServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class Access(AccessServiceServicer):
    """Says who an account is in its enterprise, and whether that one stands."""

    def __init__(self, db: Database, resolve: AccessSource) -> None:
        self._db = db
        self._resolve = resolve

    async def ResolveAccess(
        self, request: access_pb2.ResolveAccessRequest, context: Context
    ) -> access_pb2.Access:
        """Resolves the access."""
        return await self._resolve(request)

    async def ResolveStanding(
        self, request: access_pb2.ResolveStandingRequest, context: Context
    ) -> access_pb2.EnterpriseStanding:
        """Answers a peer whether the enterprise is halted."""
        enterprise_id = UUID(request.enterprise_id)
        async with self._db.snapshot(Scope.of(enterprise_id)) as tx:
            return convert.standing(await store.Enterprises(tx, enterprise_id).get())
