"""wrtn.enterprise.v1 ImportService."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import grpc
from google.api.httpbody_pb2 import HttpBody

from chassis.call import current
from chassis.crypto import Keyring
from chassis.database import Database, Transaction
from chassis.operations import Operations, convert
from chassis.operations.store import OperationRows
from chassis.paging import Page
from services.enterprise import models
from services.enterprise.errors import ImportNotFound
from services.enterprise.imports import import_results, spreadsheets
from services.enterprise.imports.importing import KIND
from services.enterprise.rpc.deciding import Deciding
from services.enterprise.store import ImportRows
from wrtn.enterprise.v1 import imports_pb2 as pb
from wrtn.enterprise.v1.imports_pb2_grpc import ImportServiceServicer
from wrtn.operations.v1.operations_pb2 import Operation

Context = grpc.aio.ServicerContext[Any, Any]

_CSV = "text/csv; charset=utf-8"
_PIECE = 1000
"""Rows of a download that are read and sent together."""


class ImportRpc(ImportServiceServicer):
    """wrtn.enterprise.v1 ImportService."""

    def __init__(self, db: Database, deciding: Deciding, operations: Operations) -> None:
        self._db = db
        self._deciding = deciding
        self._operations = operations

    async def ImportEmployees(self, request: pb.ImportEmployeesRequest, context: Context) -> Operation:
        """Reads the file, so that a wrong one is refused at once, and begins the work."""
        return await self._deciding.decide(request.enterprise_id, request, self._begin)

    async def ListImportRows(
        self, request: pb.ListImportRowsRequest, context: Context
    ) -> pb.ListImportRowsResponse:
        """Lists the outcomes."""
        page = Page.of(request)
        async with self._db.snapshot(current().caller.scope) as tx:
            found = await ImportRows(tx, UUID(request.enterprise_id)).page(
                UUID(request.operation_id),
                page.after(int) or 0,
                page.size + 1,
                failed=request.failed_only,
            )
        rows, token = page.cut(found, key=lambda row: (str(row.number),))
        return pb.ListImportRowsResponse(import_rows=[_row(each) for each in rows], next_page_token=token)

    async def DownloadImportRows(
        self, request: pb.DownloadImportRowsRequest, context: Context
    ) -> AsyncIterator[HttpBody]:
        """Streams the outcomes page by page; no transaction is open between."""
        scope, operation_id = current().caller.scope, UUID(request.operation_id)
        async with self._db.snapshot(scope) as tx:
            found = await OperationRows(tx).get(operation_id)
        if found is None or found.kind != KIND or str(found.tenant_id) != request.enterprise_id:
            raise ImportNotFound("The import does not exist.", field="operation_id")
        name = f"wrtn-import-{found.create_time:%Y-%m-%d}.csv"
        await context.send_initial_metadata(
            (
                ("x-http-header-content-disposition", f'attachment; filename="{name}"'),
                ("x-http-header-cache-control", "no-store"),
            )
        )
        rows: Sequence[models.ImportRow] = ()
        yield HttpBody(content_type=_CSV, data=import_results.written([import_results.HEADER]))
        while True:
            last = rows[-1].number if rows else 0
            async with self._db.snapshot(scope) as tx:
                known = ImportRows(tx, found.tenant_id)
                rows = await known.page(operation_id, last, _PIECE, failed=request.failed_only)
            if not rows:
                return
            yield HttpBody(content_type=_CSV, data=import_results.written(map(import_results.line, rows)))

    async def _begin(
        self, tx: Transaction, _keyring: Keyring, member_id: UUID, request: pb.ImportEmployeesRequest
    ) -> Operation:
        people = spreadsheets.parsed(request.csv, together=request.all_or_nothing)
        tenant_id = UUID(request.enterprise_id)
        begun = await self._operations.begin(
            tx,
            KIND,
            tenant_id=tenant_id,
            member_id=member_id,
            request=request.SerializeToString(),
            total=sum(len(each.rows) for each in people),
        )
        tx.audit("employees.import_begun", tenant_id=tenant_id, target_id=begun.id)
        return convert.operation(begun)


def _row(row: models.ImportRow) -> pb.ImportRow:
    return pb.ImportRow(
        number=row.number,
        outcome=pb.ImportRow.Outcome.Value(f"OUTCOME_{row.outcome}"),
        reason=row.reason,
        column=row.column_name,
        message=row.message,
    )
