"""wrtn.billing.v1 PriceService."""

from __future__ import annotations

from typing import Any

import grpc

from chassis.paging import Page
from chassis.service import Runtime
from chassis.settings import ServiceSettings
from services.billing import convert
from services.billing.price_list import PriceList
from services.billing.prices import list_prices
from wrtn.billing.v1 import prices_pb2
from wrtn.billing.v1.prices_pb2_grpc import PriceServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


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
