"""The queries on what is agreed on prices, and on the rates of currencies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import select

from chassis.database import Snapshot
from services.billing import models
from services.billing.pricing.charging import Agreement, Exchange, ExchangeRate, Rule, RuleKind
from services.billing.store.prices import read_rates, write_rates
from wrtn.billing.v1.subscriptions_pb2 import Subscription

_CURRENCIES = "SELECT tenant_id, currency FROM wrtn_known_currencies WHERE tenant_id = ANY (%s)"
_RULE = "id, kind, model, effective_time, end_time, percent, rates, plan_id"
_RULES = f"SELECT tenant_id, {_RULE} FROM wrtn_price_rules WHERE tenant_id = ANY (%s) ORDER BY id"  # noqa: S608
_OF_PLANS = f"""SELECT {_RULE} FROM wrtn_price_rules WHERE plan_id IN (
    SELECT plan_id FROM wrtn_subscription_phases WHERE tenant_id = ANY (%s)) ORDER BY id"""  # noqa: S608
_PLANS = f"""SELECT tenant_id, start_time, CASE WHEN state <> {Subscription.STATE_CANCELED} THEN plan_id END
    FROM wrtn_subscription_phases WHERE tenant_id = ANY (%s) ORDER BY start_time, sequence"""  # noqa: S608
_RATES = """SELECT sequence, effective_time, id, currency, rate FROM wrtn_exchange_rates
    WHERE sequence > %s ORDER BY sequence"""

_ADD_RULE = """INSERT INTO wrtn_price_rules
    (tenant_id, plan_id, id, kind, model, effective_time, end_time, percent, rates, create_time)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"""
_END_RULE = """UPDATE wrtn_price_rules SET end_time = %(end)s WHERE tenant_id = %(tenant)s AND id = %(id)s
    AND (end_time IS NULL OR end_time >= %(end)s) AND effective_time <= %(end)s"""
_ADD_RATE = """INSERT INTO wrtn_exchange_rates (id, currency, effective_time, rate, create_time)
    VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"""
_LOCK_RATES = "SELECT pg_advisory_xact_lock(hashtext('wrtn_exchange_rates'))"


class Agreements:
    """What is agreed with tenants, to rate by."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    async def of(self, tenant_ids: Collection[UUID], exchange: Exchange) -> Mapping[UUID, Agreement]:
        """Answers the agreements, and adds new rates to `exchange`.

        Where the currency is not
        known it is empty, or the agreement missing.
        """
        driver, tenants = await self._snapshot.driver(), list(tenant_ids)
        async with driver.pipeline():
            currencies = await driver.execute(_CURRENCIES, (tenants,))
            rules = await driver.execute(_RULES, (tenants,))
            of_plans = await driver.execute(_OF_PLANS, (tenants,))
            plans = await driver.execute(_PLANS, (tenants,))
            rates = await driver.execute(_RATES, (exchange.last_sequence,))
        exchange.add([(row[0], ExchangeRate._make(row[1:])) for row in await rates.fetchall()])
        own: dict[UUID, list[Rule]] = defaultdict(list)
        phases: dict[UUID, list[tuple[datetime, UUID | None]]] = defaultdict(list)
        for tenant_id, *rule in await rules.fetchall():
            own[tenant_id].append(_rule(rule))
        for tenant_id, start, plan_id in await plans.fetchall():
            phases[tenant_id].append((start, plan_id))
        offered = [_rule(row) for row in await of_plans.fetchall()]
        known: dict[UUID, str] = dict(await currencies.fetchall())
        return {
            each: Agreement(known.get(each, ""), (*own[each], *offered), tuple(phases[each]))
            for each in {*known, *phases}
        }


def _rule(row: Sequence[Any]) -> Rule:
    id_, kind, model, start, end, percent, texts, plan_id = row
    rates = read_rates(texts) if texts is not None else None
    return Rule(id_, RuleKind(kind), model, start, end, percent, rates, plan_id)


class Rules:
    """The rules of a tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._tx = tx
        self._tenant_id = tenant_id

    async def add(self, rule: Rule) -> bool:
        """Adds a rule; False if another one of its kind and model counts at any time between."""
        rates = Jsonb(write_rates(rule.rates)) if rule.rates is not None else None
        row = (
            self._tenant_id,
            rule.plan_id,
            rule.id,
            rule.kind,
            rule.model,
            rule.effective_time,
            rule.end_time,
            rule.percent,
            rates,
            self._tx.now,
        )
        return (await (await self._tx.driver()).execute(_ADD_RULE, row)).rowcount == 1

    async def end(self, rule_id: UUID, end: datetime) -> bool:
        """Ends a rule, earlier than it would; False if it cannot be."""
        values = {"tenant": self._tenant_id, "id": rule_id, "end": end}
        return (await (await self._tx.driver()).execute(_END_RULE, values)).rowcount == 1

    async def get(self, rule_id: UUID) -> models.PriceRule | None:
        """Answers the rule as it stands now."""
        return await self._tx.session.get(
            models.PriceRule, (self._tenant_id, rule_id), populate_existing=True
        )

    async def page(self, plan_id: UUID | None, before: UUID | None, size: int) -> Sequence[models.PriceRule]:
        """Answers the rules of the tenant, or of a plan, before this one, the newest first."""
        rule = models.PriceRule
        query = select(rule).where(
            rule.tenant_id == self._tenant_id, rule.plan_id.is_not_distinct_from(plan_id)
        )
        if before is not None:
            query = query.where(rule.id < before)
        return (await self._tx.session.scalars(query.order_by(rule.id.desc()).limit(size))).all()


class ExchangeRates:
    """The rates of currencies, the same for all tenants."""

    def __init__(self, tx: Snapshot) -> None:
        self._tx = tx

    async def lock(self) -> None:
        """Waits until nobody else adds a rate."""
        await (await self._tx.driver()).execute(_LOCK_RATES)

    async def add(self, rate: ExchangeRate) -> bool:
        """Adds a rate; False if the currency has one from that very moment."""
        row = (rate.id, rate.currency, rate.effective_time, rate.rate, self._tx.now)
        return (await (await self._tx.driver()).execute(_ADD_RATE, row)).rowcount == 1

    async def any_of(self, currency: str) -> bool:
        """Whether the currency has a rate."""
        known = select(models.ExchangeRate.id).where(models.ExchangeRate.currency == currency).limit(1)
        return await self._tx.session.scalar(known) is not None

    async def page(self, after: tuple[str, datetime] | None, size: int) -> Sequence[models.ExchangeRate]:
        """Answers rates by currency, the newest first."""
        rate = models.ExchangeRate
        query = select(rate).order_by(rate.currency, rate.effective_time.desc()).limit(size)
        if after is not None:
            older = (rate.currency == after[0]) & (rate.effective_time < after[1])
            query = query.where((rate.currency > after[0]) | older)
        return (await self._tx.session.scalars(query)).all()
