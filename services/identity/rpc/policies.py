"""wrtn.identity.v1 PolicyService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis import call, masks
from chassis.access.principals import Principals
from chassis.database import Database, Transaction
from chassis.idempotency import once
from services.identity import convert
from services.identity.logins import policies
from services.identity.rpc.callers import signed_in
from wrtn.identity.v1 import policies_pb2
from wrtn.identity.v1.policies_pb2_grpc import PolicyServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class PolicyRpc(PolicyServiceServicer):
    """wrtn.identity.v1 PolicyService."""

    def __init__(self, db: Database, cache: Principals) -> None:
        self._db = db
        self._cache = cache

    async def GetSignInPolicy(
        self, request: policies_pb2.GetSignInPolicyRequest, context: Context
    ) -> policies_pb2.SignInPolicy:
        """One that was never set asks for nothing."""
        async with self._db.snapshot(call.current().caller.scope) as snapshot:
            return convert.sign_in_policy(await policies.get(snapshot, UUID(request.enterprise_id)))

    async def UpdateSignInPolicy(
        self, request: policies_pb2.UpdateSignInPolicyRequest, context: Context
    ) -> policies_pb2.SignInPolicy:
        """This process knows at once, the others by the event."""
        caller, address = call.current().caller, call.current().address
        author = signed_in(caller)
        tenant_id = UUID(request.policy.enterprise_id)
        changes = masks.changes(request.policy, request.update_mask, allowed=policies.FIELDS)

        async def work(tx: Transaction) -> policies_pb2.SignInPolicy:
            changed = await policies.update(tx, tenant_id, author, address, request.policy.etag, changes)
            tx.after_commit(lambda: self._cache.drop_tenants([tenant_id]))
            return convert.sign_in_policy(changed)

        return await once(self._db, caller.scope, request, work)
