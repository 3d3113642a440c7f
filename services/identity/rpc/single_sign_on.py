"""wrtn.identity.v1 SingleSignOnService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc
from google.protobuf.empty_pb2 import Empty

from chassis.crypto import Keyring
from chassis.database import Database, Scope, Transaction
from chassis.idempotency import once
from services.identity import convert
from services.identity.federation import single_sign_on
from services.identity.federation.single_sign_on import Connections, Wanted
from wrtn.identity.v1 import single_sign_on_pb2
from wrtn.identity.v1.single_sign_on_pb2_grpc import SingleSignOnServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class SingleSignOnRpc(SingleSignOnServiceServicer):
    """wrtn.identity.v1 SingleSignOnService. The access rule has proven who keeps the security."""

    def __init__(self, db: Database, keyring: Keyring, connections: Connections) -> None:
        self._db = db
        self._keyring = keyring
        self._connections = connections

    async def GetSingleSignOn(
        self, request: single_sign_on_pb2.GetSingleSignOnRequest, context: Context
    ) -> single_sign_on_pb2.SingleSignOn:
        """Without the secret."""
        tenant_id = UUID(request.enterprise_id)
        async with self._db.snapshot(Scope.of(tenant_id)) as snapshot:
            return convert.single_sign_on(await single_sign_on.get(snapshot, tenant_id))

    async def SetSingleSignOn(
        self, request: single_sign_on_pb2.SetSingleSignOnRequest, context: Context
    ) -> single_sign_on_pb2.SingleSignOn:
        """Asks the provider first, outside of the transaction."""
        tenant_id = UUID(request.enterprise_id)
        wanted = Wanted(
            tenant_id,
            request.display_name,
            request.issuer.rstrip("/"),
            request.client_id,
            request.client_secret,
            request.link_employees,
        )
        await self._connections.check(wanted)

        async def work(tx: Transaction) -> single_sign_on_pb2.SingleSignOn:
            return convert.single_sign_on(await single_sign_on.put(tx, self._keyring, wanted))

        return await once(self._db, Scope.of(tenant_id), request, work)

    async def DeleteSingleSignOn(
        self, request: single_sign_on_pb2.DeleteSingleSignOnRequest, context: Context
    ) -> Empty:
        """Flows that have begun by it are refused from now on."""
        tenant_id = UUID(request.enterprise_id)

        async def work(tx: Transaction) -> Empty:
            await single_sign_on.remove(tx, tenant_id)
            return Empty()

        return await once(self._db, Scope.of(tenant_id), request, work)
