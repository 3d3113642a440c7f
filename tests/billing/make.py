"""A billing service for the tests: its database with prices, and what is in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from genai_prices.data_snapshot import DataSnapshot
from genai_prices.types import ClauseEquals, ConditionalPrice, ModelInfo, ModelPrice, Provider

from chassis.database import Scope
from chassis.events.envelope import Event
from chassis.testing.databases import ServiceDatabase
from services.billing.consumers import Rating
from services.billing.models import KnownCurrency
from services.billing.pricing.price_list import PriceList
from services.billing.pricing.price_source import Source, packaged
from services.billing.pricing.prices import import_prices
from services.billing.store.organisation import keep
from wrtn.sessions.v1.events_pb2 import UsageRecorded

REAL = packaged()


def source(name: str, **models: ModelPrice | Sequence[ConditionalPrice]) -> Source:
    """A source of the vendor "test" with these models."""
    found = [
        ModelInfo(
            id=model,
            match=ClauseEquals(model),
            prices=prices if isinstance(prices, ModelPrice) else [*prices],
        )
        for model, prices in models.items()
    ]
    return Source(DataSnapshot([Provider(id="test", name="Test", api_pattern="", models=found)], False), name)


def per_million(read: str, written: str = "0", cached: str | None = None) -> ModelPrice:
    """Flat prices."""
    return ModelPrice(
        input_mtok=Decimal(read),
        output_mtok=Decimal(written),
        cache_read_mtok=Decimal(cached) if cached is not None else None,
    )


async def know(database: ServiceDatabase, tenants: Iterable[UUID], currency: str = "USD") -> None:
    """Tells billing the currency of enterprises that it does not know."""
    named = list(tenants)
    rows = [{"tenant_id": each, "currency": currency, "version": 0} for each in named]
    async with database.app.transaction(Scope.of(*named)) as tx:
        await keep(tx, KnownCurrency, rows)


@dataclass
class Billing:
    """One billing database and its rating."""

    database: ServiceDatabase
    rating: Rating

    async def rate(self, events: Iterable[Event[UsageRecorded]]) -> None:
        """Rates a batch in one transaction, as the consumer does."""
        batch = list(events)
        scope = Scope(frozenset(event.tenant_id for event in batch if event.tenant_id))
        await know(self.database, scope.tenants)
        async with self.database.app.transaction(scope) as tx:
            await self.rating.rate(tx, batch)

    async def rows(self, query: str, *tenants: UUID) -> list[tuple[Any, ...]]:
        """Reads with the rights of the app."""
        async with self.database.app.snapshot(Scope.of(*tenants)) as snapshot:
            return await (await (await snapshot.driver()).execute(query)).fetchall()


async def billing(database: ServiceDatabase, prices: Source = REAL) -> Billing:
    """Imports the prices and answers the service's core."""
    await import_prices(database.app, prices)
    return Billing(database, Rating(PriceList(prices)))


def of_day(day: int, hour: int = 0) -> datetime:
    """A time in November 2026, UTC."""

    return datetime(2026, 11, day, hour, tzinfo=UTC)
