"""What billing does with the events of others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog
from prometheus_client import Counter

from chassis.database import Transaction
from chassis.events import outbox
from chassis.events.consumer import Consumer
from chassis.events.envelope import Event
from services.billing.errors import PricesMissing
from services.billing.events import usage_rated
from services.billing.pricing.charging import Exchange
from services.billing.pricing.price_list import PriceList
from services.billing.spending.settling import settle
from services.billing.store import Postings, Prices
from services.billing.store.rules import Agreements
from services.billing.usage.usages import Book, RatedUsage, once_each
from wrtn.billing.v1.events_pb2 import ModelUnpriced
from wrtn.sessions.v1.events_pb2 import UsageRecorded

USAGES = "usages"
"""The consumer of sessions' usages."""

_log = structlog.get_logger(__name__)
_rated = Counter(
    "wrtn_billing_rated_usages_total", "Usages rated, by whether their model had a price.", ("priced",)
)

_unpriced_models = Counter("wrtn_billing_unpriced_models_total", "Models that were used without a price.")


class Rating:
    """Rates usages: rows, sums, ledger and events in the transaction of the batch."""

    def __init__(self, prices: PriceList) -> None:
        self._prices = prices
        self._exchange = Exchange()

    def consumer(self) -> Consumer:
        """Answers the consumer of sessions' usages."""
        return Consumer(USAGES, "sessions", {UsageRecorded: self.rate})

    async def rate(self, tx: Transaction, events: Sequence[Event[UsageRecorded]]) -> None:
        """Rates those usages that were not rated before, whatever the event they come by."""
        self._prices.add(await Prices(tx).newer(self._prices.last_sequence))
        if not self._prices.last_sequence:
            raise PricesMissing("The price list is not imported yet.", retry_after=5)
        tenants = {event.tenant_id for event in events if event.tenant_id is not None}
        agreements = await Agreements(tx).of(tenants, self._exchange)
        usages = once_each(events, Book(self._prices, self._exchange, agreements))
        keys = await Postings(tx).post([usage for _, usage in usages.values()])
        fresh = [usages[key] for key in sorted(keys)]
        await settle(tx, [usage for _, usage in fresh])
        await _publish(tx, fresh)
        await _tell_unpriced(tx, [usage for _, usage in fresh])
        tx.after_commit(lambda: _count([usage for _, usage in fresh]))


async def _publish(tx: Transaction, rated: Iterable[tuple[Event[UsageRecorded], RatedUsage]]) -> None:
    driver = await tx.driver()
    tx.told()
    async with driver.cursor() as cursor, cursor.copy(outbox.COPY) as copy:
        for recorded, usage in rated:
            await copy.write_row(
                outbox.row_of(
                    usage_rated(recorded, usage),
                    event_id=tx.clock.new_id(),
                    aggregate_id=usage.history_id,
                    tenant_id=usage.tenant_id,
                )
            )


async def _tell_unpriced(tx: Transaction, usages: Iterable[RatedUsage]) -> None:
    """Tells of each model that has no price, once."""
    models = {usage.model for usage in usages if usage.price_id is None}
    for model in await Prices(tx).note_unpriced(models) if models else ():
        tx.publish(ModelUnpriced(model=model), aggregate_id=tx.clock.new_id())
        tx.after_commit(_unpriced_models.inc)


def _count(usages: Sequence[RatedUsage]) -> None:
    unpriced = [usage.model for usage in usages if usage.price_id is None]
    _rated.labels("yes").inc(len(usages) - len(unpriced))
    if unpriced:
        _rated.labels("no").inc(len(unpriced))
        _log.warning("usage.unpriced", count=len(unpriced), models=sorted(set(unpriced))[:20])
