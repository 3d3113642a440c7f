"""The price list: importing it, and showing it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from chassis.database import Database, Scope
from chassis.errors import Unavailable
from services.billing import models
from services.billing.pricing.price_list import Addition, PriceList, additions
from services.billing.pricing.price_source import Source
from services.billing.pricing.rating import Price
from services.billing.store import Prices
from services.billing.store.prices import Place

_log = structlog.get_logger(__name__)

_TRIES = 10
_PAUSE = 1.0
_TIME_LIMIT = 60.0


async def import_prices(db: Database, source: Source) -> int:
    """Adds what the source prices otherwise than the list, and answers how many entries that were.

    The same source again adds nothing. Importers take turns.
    """
    async with db.transaction(Scope(), time_limit=_TIME_LIMIT) as tx:
        prices = Prices(tx)
        await prices.lock()
        existing: dict[str, list[Price]] = {}
        for _, price in await prices.newer(0):
            if price.own:
                continue
            existing.setdefault(price.model, []).append(price)
        added: list[Addition] = []
        for model, wanted in source.timelines.items():
            added += additions(model, existing.get(model, ()), wanted, tx.now)
        if added:
            await prices.add(added, source.name)
    _log.info("prices.imported", source=source.name, added=len(added))
    return len(added)


async def import_at_start(db: Database, source: Source) -> None:
    """Imports before anything is rated. Bears a database that is not up for some seconds, then raises."""
    for _ in range(_TRIES - 1):
        try:
            await import_prices(db, source)
        except Unavailable:
            await asyncio.sleep(_PAUSE)
        else:
            return
    await import_prices(db, source)


async def list_prices(
    db: Database, known: PriceList, model: str, after: Place | None, size: int
) -> Sequence[models.Price]:
    """Answers entries by model, the newest of each first; only one model's if named, by whichever name."""
    async with db.snapshot(Scope()) as snapshot:
        prices = Prices(snapshot)
        known.add(await prices.newer(known.last_sequence))
        return await prices.page([known.key(model)] if model else [], after, size)
