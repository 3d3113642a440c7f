"""Prices of our own: administrators set them, and end them. They never overlap."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from chassis.audit.acts import PLATFORM
from chassis.database import Transaction
from services.billing import models
from services.billing.errors import PriceBackdated, PriceNotFound, PriceOverlaps, TimeRangeInvalid
from services.billing.pricing.price_list import NOTICE, PriceList
from services.billing.pricing.rating import Price
from services.billing.store import Prices


async def create(tx: Transaction, known: PriceList, price: Price) -> models.Price:
    """Adds the price; raises PriceOverlaps, PriceBackdated and TimeRangeInvalid."""
    if price.end_time is not None and price.end_time <= price.effective_time:
        raise TimeRangeInvalid("The end must be after the start.", field="price.end_time")
    prices = Prices(tx)
    await prices.lock()
    known.add(await prices.newer(known.last_sequence))
    if price.effective_time < tx.now + NOTICE and known.counts_before(price.model, tx.now + NOTICE):
        raise PriceBackdated(
            "The model has a price up to now: begin a minute from now, and correct what was rated wrongly.",
            field="price.effective_time",
        )
    if not await prices.add_own(price):
        raise PriceOverlaps("Another price of our own counts then: end it before.", field="price.model")
    tx.audit("price.created", tenant_id=PLATFORM, target_id=price.id, model=price.model)
    return await _found(prices, price.id)


async def end(tx: Transaction, price_id: UUID, when: datetime | None) -> models.Price:
    """Ends the price, one that has not begun at its start; raises PriceNotFound and TimeRangeInvalid."""
    prices = Prices(tx)
    await prices.lock()
    row = await _found(prices, price_id)
    if not row.own:
        raise PriceNotFound("The price is none of our own.", field="price_id")
    earliest = tx.now + NOTICE
    end_time = max(when or earliest, row.effective_time)
    if end_time < earliest or not await prices.end_own(price_id, end_time):
        raise TimeRangeInvalid("It ends a minute from now or later, not after its end.", field="end_time")
    tx.audit("price.ended", tenant_id=PLATFORM, target_id=price_id, end_time=end_time.isoformat())
    return await _found(prices, price_id)


async def _found(prices: Prices, price_id: UUID) -> models.Price:
    row = await prices.get(price_id)
    if row is None:
        raise PriceNotFound("The price does not exist.", field="price_id")
    return row
