"""What is agreed on prices: administrators set rules and exchange rates, from a moment to come on."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from chassis.audit.acts import PLATFORM
from chassis.currencies import CURRENCIES
from chassis.database import Transaction
from services.billing import models
from services.billing.errors import (
    CurrencyUnknown,
    PriceBackdated,
    PriceOverlaps,
    PriceRuleNotFound,
    TimeRangeInvalid,
)
from services.billing.pricing.charging import ExchangeRate, Rule
from services.billing.pricing.price_list import NOTICE
from services.billing.pricing.price_source import CURRENCY
from services.billing.store.rules import ExchangeRates, Rules


async def create(tx: Transaction, tenant_id: UUID, rule: Rule) -> models.PriceRule:
    """Agrees on the rule; raises PriceOverlaps, PriceBackdated and TimeRangeInvalid."""
    if rule.end_time is not None and rule.end_time <= rule.effective_time:
        raise TimeRangeInvalid("The end must be after the start.", field="price_rule.end_time")
    if rule.effective_time < tx.now + NOTICE:
        raise PriceBackdated("A rule begins a minute from now or later.", field="price_rule.effective_time")
    rules = Rules(tx, tenant_id)
    if not await rules.add(rule):
        raise PriceOverlaps("Another rule of this kind counts then: end it before.", field="price_rule.model")
    tx.audit("price_rule.created", tenant_id=tenant_id, target_id=rule.id, kind=rule.kind, model=rule.model)
    return await _found(rules, rule.id)


async def end(tx: Transaction, tenant_id: UUID, rule_id: UUID, when: datetime | None) -> models.PriceRule:
    """Ends the rule; raises PriceRuleNotFound and TimeRangeInvalid."""
    rules = Rules(tx, tenant_id)
    row = await _found(rules, rule_id)
    earliest = tx.now + NOTICE
    end_time = max(when or earliest, row.effective_time)
    if end_time < earliest or not await rules.end(rule_id, end_time):
        raise TimeRangeInvalid("It ends a minute from now or later, not after its end.", field="end_time")
    tx.audit("price_rule.ended", tenant_id=tenant_id, target_id=rule_id, end_time=end_time.isoformat())
    return await _found(rules, rule_id)


async def set_rate(tx: Transaction, rate: ExchangeRate) -> None:
    """Sets an exchange rate; raises CurrencyUnknown, PriceBackdated and PriceOverlaps."""
    if rate.currency == CURRENCY or rate.currency not in CURRENCIES:
        raise CurrencyUnknown("Name a currency of ISO 4217 other than USD.", field="exchange_rate.currency")
    rates = ExchangeRates(tx)
    await rates.lock()
    if rate.effective_time < tx.now + NOTICE and await rates.any_of(rate.currency):
        raise PriceBackdated(
            "A rate begins a minute from now or later.", field="exchange_rate.effective_time"
        )
    if not await rates.add(rate):
        raise PriceOverlaps("The currency has a rate from then on.", field="exchange_rate.effective_time")
    tx.audit("exchange_rate.created", tenant_id=PLATFORM, target_id=rate.id, currency=rate.currency)


async def _found(rules: Rules, rule_id: UUID) -> models.PriceRule:
    row = await rules.get(rule_id)
    if row is None:
        raise PriceRuleNotFound("The rule does not exist.", field="price_rule_id")
    return row
