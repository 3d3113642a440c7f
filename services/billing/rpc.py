"""The servicers: request to one call to response."""

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
from services.billing.costs import of_account, of_enterprise
from services.billing.price_list import PriceList
from services.billing.prices import list_prices
from services.billing.store import LedgerEntries
from wrtn.billing.v1 import costs_pb2, prices_pb2
from wrtn.billing.v1.costs_pb2_grpc import CostServiceServicer
from wrtn.billing.v1.prices_pb2_grpc import PriceServiceServicer

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
            after = int(page.cursor[0]) if page.cursor else 0
            rows = await LedgerEntries(snapshot, tenant_id).page(after, page.size + 1)
        entries, token = page.cut(rows, key=lambda entry: (str(entry.sequence),))
        return costs_pb2.ListLedgerEntriesResponse(
            ledger_entries=map(convert.ledger_entry, entries), next_page_token=token
        )


class Prices(PriceServiceServicer):
    """Shows the price list."""

    def __init__(self, runtime: Runtime[ServiceSettings], known: PriceList) -> None:
        self._runtime = runtime
        self._known = known

    async def ListPrices(
        self, request: prices_pb2.ListPricesRequest, context: Context
    ) -> prices_pb2.ListPricesResponse:
        """Lists prices by model, the newest of each first."""
        page = Page.of(request)
        rows = await list_prices(self._runtime.db, self._known, request.model, page.cursor, page.size + 1)
        entries, token = page.cut(
            rows, key=lambda entry: (entry.model, entry.effective_time.isoformat(), str(entry.revision))
        )
        return prices_pb2.ListPricesResponse(prices=map(convert.price, entries), next_page_token=token)
