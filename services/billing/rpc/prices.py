"""wrtn.billing.v1 PriceService."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import Any
from uuid import UUID

import grpc

from chassis.audit.acts import PLATFORM
from chassis.database import Scope
from chassis.idempotency import once
from chassis.paging import Page
from chassis.service import Runtime
from chassis.settings import ServiceSettings
from services.billing import convert, models
from services.billing.pricing import own_prices, price_convert
from services.billing.pricing.price_list import PriceList
from services.billing.pricing.prices import list_prices
from services.billing.store.prices import Place
from wrtn.billing.v1 import prices_pb2
from wrtn.billing.v1.prices_pb2_grpc import PriceServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]
_PLATFORM = Scope.of(PLATFORM)


class Prices(PriceServiceServicer):
    """Keeps and shows the price list."""

    def __init__(self, runtime: Runtime[ServiceSettings], known: PriceList) -> None:
        self._runtime = runtime
        self._known = known

    async def CreatePrice(self, request: prices_pb2.CreatePriceRequest, context: Context) -> prices_pb2.Price:
        """Adds a price of our own."""
        asked = price_convert.own_price(request.price, self._runtime.clock.new_id())
        return await once(
            self._runtime.db, _PLATFORM, request, lambda tx: _built(own_prices.create(tx, self._known, asked))
        )

    async def EndPrice(self, request: prices_pb2.EndPriceRequest, context: Context) -> prices_pb2.Price:
        """Ends a price of our own."""
        price_id, when = UUID(request.price_id), convert.moment(request, "end_time")
        return await once(
            self._runtime.db, _PLATFORM, request, lambda tx: _built(own_prices.end(tx, price_id, when))
        )

    async def ListPrices(
        self, request: prices_pb2.ListPricesRequest, context: Context
    ) -> prices_pb2.ListPricesResponse:
        """Lists prices by model, the newest of each first."""
        page = Page.of(request)
        rows = await list_prices(
            self._runtime.db, self._known, request.model, page.after(_place), page.size + 1
        )
        entries, token = page.cut(
            rows, key=lambda entry: (entry.model, entry.effective_time.isoformat(), str(entry.sequence))
        )
        return prices_pb2.ListPricesResponse(prices=map(price_convert.price, entries), next_page_token=token)


async def _built(entry: Awaitable[models.Price]) -> prices_pb2.Price:
    return price_convert.price(await entry)


def _place(model: str, effective_time: str, sequence: str) -> Place:
    return model, datetime.fromisoformat(effective_time), int(sequence)
