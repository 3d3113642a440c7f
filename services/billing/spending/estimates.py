"""What a call may cost, told before it is made."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from chassis.database import Database, Scope
from services.billing.pricing.charging import Agreement, Exchange, Used, charge
from services.billing.pricing.price_list import PriceList
from services.billing.pricing.price_source import CURRENCY
from services.billing.pricing.rating import Tokens, cost
from services.billing.spending.admission import ZERO, Ask
from services.billing.store import Prices
from services.billing.store.rules import Agreements
from wrtn.billing.v1.spending_pb2 import SpendEstimate

_KEPT = timedelta(seconds=10)
"""How long an agreement is believed. An estimate may be off by a change; what is charged never is."""
_MOST = 10_000


class Estimate(NamedTuple):
    """An amount in a currency, with the tokens it stands for."""

    ask: Ask
    currency: str


NOTHING = Estimate(Ask(ZERO, 0), CURRENCY)


class Estimates:
    """Estimates calls by what is agreed with their tenants."""

    def __init__(self, db: Database, prices: PriceList) -> None:
        self._db = db
        self._prices = prices
        self._exchange = Exchange()
        self._agreements: dict[UUID, tuple[datetime, Agreement]] = {}

    async def of(self, tenant_id: UUID, model: str, estimate: SpendEstimate, now: datetime) -> Estimate:
        """Answers the estimate: tokens at the price of now; at zero, as usages are, if there is none."""
        agreement = await self._agreement(tenant_id, now)
        if estimate.WhichOneof("estimate") == "amount":
            return Estimate(Ask(Decimal(estimate.amount), 0, counted=False), agreement.currency)
        price = self._prices.at(model, now)
        if price is None:
            async with self._db.snapshot(Scope()) as snapshot:
                self._prices.add(await Prices(snapshot).newer(self._prices.last_sequence))
            price = self._prices.at(model, now)
        tokens = Tokens(estimate.tokens.input, 0, estimate.tokens.output)
        whole = tokens.input + tokens.output
        if price is None:
            return Estimate(Ask(ZERO, whole), agreement.currency)
        used = Used(price.model, tokens, now, cost(price.schedule, tokens, now))
        paid = charge(agreement, self._exchange, used)
        return Estimate(Ask(paid.amount if paid is not None else ZERO, whole), agreement.currency)

    async def _agreement(self, tenant_id: UUID, now: datetime) -> Agreement:
        kept = self._agreements.get(tenant_id)
        if kept is not None and abs(now - kept[0]) < _KEPT:
            return kept[1]
        async with self._db.snapshot(Scope.of(tenant_id)) as snapshot:
            found = await Agreements(snapshot).of([tenant_id], self._exchange)
        if len(self._agreements) >= _MOST:
            self._agreements.clear()
        agreement = found.get(tenant_id, Agreement()).or_in(CURRENCY)
        self._agreements[tenant_id] = now, agreement
        return agreement
