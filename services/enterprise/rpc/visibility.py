"""wrtn.enterprise.v1 VisibilityService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis import masks
from chassis.call import current
from chassis.database import Transaction
from chassis.idempotency import once
from chassis.service import Runtime
from chassis.settings import ServiceSettings
from services.enterprise import convert, store
from services.enterprise.identity import Identity
from services.enterprise.rights import visibility
from services.enterprise.rpc.asking import sure
from wrtn.enterprise.v1 import visibility_pb2 as pb
from wrtn.enterprise.v1.visibility_pb2_grpc import VisibilityServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class Visibility(VisibilityServiceServicer):
    """Shows and changes who may read content."""

    def __init__(self, runtime: Runtime[ServiceSettings], identity: Identity) -> None:
        self._runtime = runtime
        self._identity = identity

    async def GetVisibility(self, request: pb.GetVisibilityRequest, context: Context) -> pb.Visibility:
        """Gets the visibility."""
        tenant_id = UUID(request.enterprise_id)
        async with self._runtime.db.snapshot(current().caller.scope) as tx:
            return convert.visibility(tenant_id, await store.Visibilities(tx, tenant_id).get())

    async def UpdateVisibility(self, request: pb.UpdateVisibilityRequest, context: Context) -> pb.Visibility:
        """Changes the visibility; from then on this process knows it."""
        runtime, caller = self._runtime, current().caller
        wanted = masks.changes(request.visibility, request.update_mask, allowed=("content_readable",))
        tenant_id, member_id = UUID(request.visibility.enterprise_id), sure(caller.member_id)
        await self._identity.require_acting(caller)

        async def work(tx: Transaction) -> pb.Visibility:
            row = await visibility.change(
                tx, tenant_id, member_id, content_readable=wanted["content_readable"], reason=request.reason
            )
            return convert.visibility(tenant_id, row)

        changed = await once(runtime.db, caller.scope, request, work)
        runtime.access.drop([tenant_id])
        return changed
