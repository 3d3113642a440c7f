"""wrtn.identity.v1 ExportService."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import grpc
from google.api.httpbody_pb2 import HttpBody

from chassis import call
from chassis.blobs import Blobs
from chassis.crypto import Keyring
from chassis.database import Database, Scope, Transaction
from chassis.idempotency import once
from chassis.operations import Operations, convert
from services.identity.personal_data import exports
from services.identity.rpc.callers import signed_in
from wrtn.identity.v1 import exports_pb2
from wrtn.identity.v1.exports_pb2_grpc import ExportServiceServicer
from wrtn.operations.v1 import operations_pb2

Context = grpc.aio.ServicerContext[Any, Any]
_ZIP = "application/zip"


class ExportRpc(ExportServiceServicer):
    """wrtn.identity.v1 ExportService."""

    def __init__(self, db: Database, keyring: Keyring, blobs: Blobs, operations: Operations) -> None:
        self._db = db
        self._keyring = keyring
        self._blobs = blobs
        self._operations = operations

    async def ExportMyData(
        self, request: exports_pb2.ExportMyDataRequest, context: Context
    ) -> operations_pb2.Operation:
        """The caller's own."""
        member_id, _ = signed_in(call.current().caller)

        async def work(tx: Transaction) -> operations_pb2.Operation:
            return convert.operation(await exports.begin(tx, self._operations, member_id))

        return await once(self._db, Scope.of(member_id, member_id=member_id), request, work)

    async def DownloadExport(
        self, request: exports_pb2.DownloadExportRequest, context: Context
    ) -> AsyncIterator[HttpBody]:
        """Piece by piece; who reads it is audited before the first one."""
        member_id, _ = signed_in(call.current().caller)
        export_id = UUID(request.export_id)
        async with self._db.transaction(Scope.of(member_id=member_id)) as tx:
            found = await exports.get(tx, member_id, export_id)
            key = await self._keyring.key(tx, member_id)
            tx.audit("export.downloaded", tenant_id=member_id, target_id=export_id)
        name = f"wrtn-export-{found.create_time:%Y-%m-%d}.zip"
        await context.send_initial_metadata(
            (
                ("x-http-header-content-length", str(found.size)),
                ("x-http-header-content-disposition", f'attachment; filename="{name}"'),
                ("x-http-header-cache-control", "no-store"),
            )
        )
        async for piece in self._blobs.get(exports.blob_of(member_id, export_id), key=key):
            yield HttpBody(content_type=_ZIP, data=piece)
