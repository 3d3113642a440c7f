"""The servicer: request to one call to response."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis.audit.acts import PLATFORM
from chassis.call import current
from chassis.database import Scope
from chassis.paging import Page, time_and_id
from chassis.service import Runtime
from chassis.settings import ServiceSettings
from services.analytics import audit, convert
from services.analytics.asking import read
from services.analytics.usage import of_account, of_enterprise
from wrtn.analytics.v1 import audit_pb2, usage_pb2
from wrtn.analytics.v1.audit_pb2_grpc import AuditServiceServicer
from wrtn.analytics.v1.usage_pb2_grpc import UsageServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class Usages(UsageServiceServicer):
    """Answers usage over time."""

    def __init__(self, runtime: Runtime[ServiceSettings]) -> None:
        self._runtime = runtime

    async def QueryUsage(
        self, request: usage_pb2.QueryUsageRequest, context: Context
    ) -> usage_pb2.QueryUsageResponse:
        """Sums the usage of an enterprise or a team."""
        asked = read(request, self._runtime.clock.now())
        return convert.usage(await of_enterprise(self._runtime.db, current().caller, asked), asked.division)

    async def QueryAccountUsage(
        self, request: usage_pb2.QueryAccountUsageRequest, context: Context
    ) -> usage_pb2.QueryUsageResponse:
        """Sums the usage of an account."""
        runtime = self._runtime
        asked = read(request, runtime.clock.now())
        account_id = UUID(request.account_id)
        answer = await of_account(runtime.db, runtime.access, current().caller, account_id, asked)
        return convert.usage(answer, asked.division)


class Audit(AuditServiceServicer):
    """Searches the audit trail."""

    def __init__(self, runtime: Runtime[ServiceSettings]) -> None:
        self._runtime = runtime

    async def SearchAuditEntries(
        self, request: audit_pb2.SearchAuditEntriesRequest, context: Context
    ) -> audit_pb2.SearchAuditEntriesResponse:
        """Staff search by the worker role, which sees all tenants, and on record; an owner in their own."""
        page = Page.of(request)
        after, caller = page.after(time_and_id), current().caller
        everywhere = caller.staff and not caller.access
        where = self._runtime.worker if everywhere else self._runtime.db
        scope = Scope() if everywhere else Scope.of(UUID(request.tenant_id))
        if everywhere:
            await self._note(UUID(request.tenant_id) if request.tenant_id else None)
        async with where.snapshot(scope) as snapshot:
            rows = await audit.search(snapshot, request, after, page.size + 1)
        found, token = page.cut(rows, key=lambda row: (row.create_time.isoformat(), str(row.id)))
        return audit_pb2.SearchAuditEntriesResponse(
            entries=[row.entry for row in found], next_page_token=token
        )

    async def _note(self, tenant_id: UUID | None) -> None:
        """Writes down, before it answers, that staff look into the trail, of one tenant or of all."""
        async with self._runtime.db.transaction(Scope.of(PLATFORM)) as tx:
            tx.audit("audit_entries.searched", tenant_id=PLATFORM, target_id=tenant_id)
