"""What an enterprise pays for a model."""

from __future__ import annotations

from uuid import UUID

from chassis.database import Snapshot
from services.billing.errors import ExchangeRateMissing, PriceNotFound
from services.billing.pricing import price_convert
from services.billing.pricing.charging import Agreement, Exchange, charged_rates
from services.billing.pricing.price_list import PriceList
from services.billing.pricing.price_source import CURRENCY
from services.billing.store import Prices
from services.billing.store.rules import Agreements
from wrtn.billing.v1.price_rules_pb2 import AgreedPrice


async def of(snapshot: Snapshot, known: PriceList, tenant_id: UUID, model: str) -> AgreedPrice:
    """Answers what counts now; raises PriceNotFound and ExchangeRateMissing."""
    prices, exchange = Prices(snapshot), Exchange()
    known.add(await prices.newer(known.last_sequence))
    price = known.at(model, snapshot.now)
    row = await prices.get(price.id) if price is not None else None
    if price is None or row is None:
        raise PriceNotFound("The model has no price.", field="model")
    agreement = (
        (await Agreements(snapshot).of([tenant_id], exchange)).get(tenant_id, Agreement()).or_in(CURRENCY)
    )
    rates = price.schedule.terms_at(snapshot.now).base
    found = charged_rates(agreement, exchange, price.model, rates, snapshot.now)
    if found is None:
        raise ExchangeRateMissing("The enterprise's currency has no exchange rate yet.")
    charged, by = found
    return AgreedPrice(
        price=price_convert.price(row),
        charged=price_convert.rates(charged),
        currency=by.currency,
        price_rule_ids=map(str, by.rule_ids),
        exchange_rate_id=str(by.exchange_rate_id or ""),
    )
