"""The OperationService of every service: mount one servicer under the service's own generated class.

(add_OperationServiceServicer_to_server, OperationRpc(runtime, operations))
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis.call import Caller, current
from chassis.database import Scope, Transaction
from chassis.errors import FailedPrecondition, NotFound
from chassis.idempotency import once
from chassis.operations import convert
from chassis.operations.runner import Operations
from chassis.operations.store import OperationRows, Row
from chassis.paging import Page, time_and_id
from chassis.runtime import Runtime
from wrtn.access.v1.access_pb2 import Title
from wrtn.operations.v1 import operations_pb2

Context = grpc.aio.ServicerContext[Any, Any]


class OperationNotFound(NotFound):
    """The operation does not exist, or is none that the caller may see: both look the same."""

    reason = "OPERATION_NOT_FOUND"


class OperationNotCancellable(FailedPrecondition):
    """The work has begun and cannot be stopped."""

    reason = "OPERATION_NOT_CANCELLABLE"


class OperationRpc:
    """Shows and cancels the operations of a service."""

    def __init__(self, runtime: Runtime[Any], operations: Operations) -> None:
        self._db = runtime.db
        self._access = runtime.access
        self._operations = operations

    async def GetOperation(
        self, request: operations_pb2.GetOperationRequest, context: Context
    ) -> operations_pb2.Operation:
        """An operation out of the caller's sight does not exist."""
        async with self._db.snapshot(await self._sight(current().caller)) as snapshot:
            return convert.operation(_found(await OperationRows(snapshot).get(UUID(request.operation_id))))

    async def ListOperations(
        self, request: operations_pb2.ListOperationsRequest, context: Context
    ) -> operations_pb2.ListOperationsResponse:
        """The newest first."""
        page = Page.of(request)
        after = page.after(time_and_id)
        async with self._db.snapshot(await self._sight(current().caller)) as snapshot:
            rows = await OperationRows(snapshot).newest(request.kind, after, page.size + 1)
        found, token = page.cut(rows, key=lambda row: (row.create_time.isoformat(), str(row.id)))
        return operations_pb2.ListOperationsResponse(
            operations=map(convert.operation, found), next_page_token=token
        )

    async def CancelOperation(
        self, request: operations_pb2.CancelOperationRequest, context: Context
    ) -> operations_pb2.Operation:
        """Asking again changes nothing, nor does asking for what has ended."""
        scope = await self._sight(current().caller)
        operation_id = UUID(request.operation_id)
        async with self._db.snapshot(scope) as snapshot:
            # The member's own policy only reads: the change goes through the tenant.
            seen = _found(await OperationRows(snapshot).get(operation_id))

        async def work(tx: Transaction) -> operations_pb2.Operation:
            return convert.operation(await self._cancelled(tx, seen))

        return await once(self._db, Scope.of(seen.tenant_id, member_id=scope.member_id), request, work)

    async def _cancelled(self, tx: Transaction, seen: Row) -> Row:
        rows, kind = OperationRows(tx), self._operations.kinds.get(seen.kind)
        asked = await rows.cancel(seen.id, running=kind is None or kind.cancellable)
        found = _found(await rows.get(seen.id))
        if not asked and found.end_time is None:
            raise OperationNotCancellable("The work has begun and cannot be stopped any more.")
        if asked:
            tx.audit("operation.cancelled", tenant_id=seen.tenant_id, target_id=seen.id)
        return found

    async def _sight(self, caller: Caller) -> Scope:
        """What the member began; for managers and owners also what belongs to their enterprise."""
        own = Scope.of(member_id=caller.member_id)
        if caller.tenant_id is None or caller.account_id is None:
            return own
        if caller.tenant_id == caller.account_id:
            return caller.scope
        access = await self._access.resolve(caller.tenant_id, caller.account_id, member_id=caller.member_id)
        return caller.scope if access is not None and access.title >= Title.TITLE_MANAGER else own


def _found(row: Row | None) -> Row:
    if row is None:
        raise OperationNotFound("The operation does not exist.", field="operation_id")
    return row
