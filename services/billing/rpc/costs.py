"""wrtn.billing.v1 CostService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis.call import current
from chassis.database import Scope
from chassis.paging import Page
from chassis.service import Runtime
from chassis.settings import ServiceSettings
from services.billing import convert
from services.billing.store import LedgerEntries
from services.billing.usage.costs import of_account, of_enterprise
from wrtn.billing.v1 import costs_pb2
from wrtn.billing.v1.costs_pb2_grpc import CostServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class Costs(CostServiceServicer):
    """Answers costs and the ledger."""

    def __init__(self, runtime: Runtime[ServiceSettings]) -> None:
        self._runtime = runtime

    async def QueryCosts(
        self, request: costs_pb2.QueryCostsRequest, context: Context
    ) -> costs_pb2.QueryCostsResponse:
        """Sums the costs of an enterprise or a team."""
        return convert.costs(await of_enterprise(self._runtime.db, current().caller, convert.asked(request)))

    async def QueryAccountCosts(
        self, request: costs_pb2.QueryAccountCostsRequest, context: Context
    ) -> costs_pb2.QueryCostsResponse:
        """Sums the costs of an account."""
        runtime, caller = self._runtime, current().caller
        account_id = UUID(request.account_id)
        return convert.costs(
            await of_account(runtime.db, runtime.access, caller, account_id, convert.asked(request))
        )

    async def ListLedgerEntries(
        self, request: costs_pb2.ListLedgerEntriesRequest, context: Context
    ) -> costs_pb2.ListLedgerEntriesResponse:
        """Lists the ledger in its order."""
        page = Page.of(request)
        tenant_id = UUID(request.enterprise_id)
        async with self._runtime.db.snapshot(Scope.of(tenant_id)) as snapshot:
            after = page.after(int) or 0
            rows = await LedgerEntries(snapshot, tenant_id).page(after, page.size + 1)
        entries, token = page.cut(rows, key=lambda entry: (str(entry.sequence),))
        return costs_pb2.ListLedgerEntriesResponse(
            ledger_entries=map(convert.ledger_entry, entries), next_page_token=token
        )
