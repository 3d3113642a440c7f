"""What a call may cost, told before it is made."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from chassis.database import Database, Scope
from services.billing.admission import ZERO, Ask
from services.billing.price_list import PriceList
from services.billing.price_source import CURRENCY
from services.billing.rating import Tokens, cost
from services.billing.store import Prices
from wrtn.billing.v1.spending_pb2 import SpendEstimate


class Estimate(NamedTuple):
    """An amount in a currency, with the tokens it stands for."""

    ask: Ask
    currency: str


NOTHING = Estimate(Ask(ZERO, 0), CURRENCY)


async def of(db: Database, prices: PriceList, model: str, estimate: SpendEstimate, now: datetime) -> Estimate:
    """Answers the estimate: tokens at the price of now; at zero, as usages are, if the model has none."""
    if estimate.WhichOneof("estimate") == "amount":
        return Estimate(Ask(Decimal(estimate.amount), 0), CURRENCY)
    price = prices.at(model, now)
    if price is None:
        async with db.snapshot(Scope()) as snapshot:
            prices.add(await Prices(snapshot).newer(prices.last_sequence))
        price = prices.at(model, now)
    tokens = Tokens(estimate.tokens.input, 0, estimate.tokens.output)
    whole = tokens.input + tokens.output
    if price is None:
        return Estimate(Ask(ZERO, whole), CURRENCY)
    return Estimate(Ask(cost(price.schedule, tokens, now), whole), price.currency)
