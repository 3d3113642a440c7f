"""Prices, from rows to protos and back."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol
from uuid import UUID

from chassis import timestamps
from chassis.decimals import text
from services.billing import models
from services.billing.convert import moment
from services.billing.errors import PriceInvalid, TimeRangeInvalid
from services.billing.pricing.charging import ExchangeRate, Rule, RuleKind
from services.billing.pricing.price_source import CURRENCY
from services.billing.pricing.rating import ZERO, Price, Rates, Schedule, Terms, Tier, Window
from services.billing.store import read_tiers, read_windows
from services.billing.store.prices import read_rates
from wrtn.billing.v1 import price_rules_pb2, prices_pb2

_KINDS = {
    "override": RuleKind.OVERRIDE,
    "markup_percent": RuleKind.MARKUP,
    "discount_percent": RuleKind.DISCOUNT,
}


def price(entry: models.Price) -> prices_pb2.Price:
    """Builds an entry of the price list."""
    built = prices_pb2.Price(
        id=str(entry.id),
        model=entry.model,
        effective_time=timestamps.of(entry.effective_time),
        currency=entry.currency,
        input_per_million=text(entry.input_per_million),
        cached_input_per_million=text(entry.cached_input_per_million),
        output_per_million=text(entry.output_per_million),
        cache_write_per_million=_text(entry.cache_write_per_million),
        reasoning_per_million=_text(entry.reasoning_per_million),
        per_request=_text(entry.per_request or None),
        per_image=_text(entry.per_image or None),
        per_second=_text(entry.per_second or None),
        source=entry.source,
        tiers=map(_tier, read_tiers(entry.tiers)),
        windows=map(_window, read_windows(entry.windows)),
        own=entry.own,
    )
    if entry.end_time is not None:
        built.end_time.CopyFrom(timestamps.of(entry.end_time))
    return built


def _tier(tier: Tier) -> prices_pb2.PriceTier:
    return prices_pb2.PriceTier(
        from_input_tokens=tier.above,
        input_per_million=text(tier.rates.input),
        cached_input_per_million=text(tier.rates.cached_input),
        output_per_million=text(tier.rates.output),
        cache_write_per_million=_text(tier.rates.cache_write),
        reasoning_per_million=_text(tier.rates.reasoning),
    )


def _window(window: Window) -> prices_pb2.PriceWindow:
    base = window.terms.base
    return prices_pb2.PriceWindow(
        start_time_of_day=window.start.isoformat(),
        end_time_of_day=window.end.isoformat(),
        input_per_million=text(base.input),
        cached_input_per_million=text(base.cached_input),
        output_per_million=text(base.output),
        tiers=map(_tier, window.terms.tiers),
    )


def own_price(asked: prices_pb2.Price, price_id: UUID) -> Price:
    """Reads a price of our own; raises PriceInvalid and TimeRangeInvalid."""
    start = moment(asked, "effective_time")
    if start is None:
        raise TimeRangeInvalid("Say from when the price counts.", field="price.effective_time")
    return Price(price_id, asked.model, start, 0, CURRENCY, _schedule(asked), True, moment(asked, "end_time"))


def _schedule(asked: prices_pb2.Price) -> Schedule:
    """Reads rates and steps; a step has the units of its price."""
    if not asked.model or asked.windows:
        raise PriceInvalid("Name a model, and no times of day.", field="price.model")
    base = all_rates(asked)
    tiers = [
        Tier(
            tier.from_input_tokens,
            token_rates(tier)._replace(request=base.request, image=base.image, second=base.second),
        )
        for tier in asked.tiers
    ]
    above = [tier.above for tier in tiers]
    if above != sorted(set(above)):
        raise PriceInvalid("The steps must ascend.", field="price.tiers")
    return Schedule(Terms(base, tuple(tiers)))


class Named(Protocol):
    """A message that names rates of tokens."""

    input_per_million: str
    cached_input_per_million: str
    output_per_million: str
    cache_write_per_million: str
    reasoning_per_million: str


def token_rates(asked: Named) -> Rates:
    """Reads the rates of tokens. Cached input without a rate costs what input does."""
    plain = _number(asked.input_per_million)
    return Rates(
        plain,
        Decimal(asked.cached_input_per_million) if asked.cached_input_per_million else plain,
        _number(asked.output_per_million),
        _optional(asked.cache_write_per_million),
        _optional(asked.reasoning_per_million),
    )


def all_rates(asked: prices_pb2.Price | price_rules_pb2.PriceRates) -> Rates:
    """Reads rates of each kind. Cached input without a rate costs what input does."""
    return token_rates(asked)._replace(
        request=_number(asked.per_request), image=_number(asked.per_image), second=_number(asked.per_second)
    )


def _number(value: str) -> Decimal:
    return Decimal(value) if value else ZERO


def _optional(value: str) -> Decimal | None:
    return Decimal(value) if value else None


def _text(value: Decimal | None) -> str:
    return text(value) if value is not None else ""


def rule(asked: price_rules_pb2.PriceRule, rule_id: UUID) -> Rule:
    """Reads a rule; raises PriceInvalid and TimeRangeInvalid."""
    start = moment(asked, "effective_time")
    if start is None:
        raise TimeRangeInvalid("Say from when the rule counts.", field="price_rule.effective_time")
    kind, end = _KINDS[asked.WhichOneof("terms") or "override"], moment(asked, "end_time")
    percent, rates = None, None
    if kind is not RuleKind.OVERRIDE:
        percent = Decimal(asked.markup_percent or asked.discount_percent)
    elif asked.model:
        rates = all_rates(asked.override)
    else:
        raise PriceInvalid("An override names a model.", field="price_rule.model")
    plan_id = UUID(asked.plan_id) if asked.plan_id else None
    return Rule(rule_id, kind, asked.model, start, end, percent, rates, plan_id)


def price_rule(row: models.PriceRule) -> price_rules_pb2.PriceRule:
    """Builds a rule."""
    built = price_rules_pb2.PriceRule(
        id=str(row.id),
        model=row.model,
        effective_time=timestamps.of(row.effective_time),
        create_time=timestamps.of(row.create_time),
    )
    if row.plan_id is None:
        built.enterprise_id = str(row.tenant_id)
    else:
        built.plan_id = str(row.plan_id)
    if row.rates is not None:
        built.override.CopyFrom(rates(read_rates(row.rates)))
    elif row.kind == RuleKind.MARKUP:
        built.markup_percent = _text(row.percent)
    else:
        built.discount_percent = _text(row.percent)
    if row.end_time is not None:
        built.end_time.CopyFrom(timestamps.of(row.end_time))
    return built


def rates(found: Rates) -> price_rules_pb2.PriceRates:
    """Builds rates of each kind."""
    return price_rules_pb2.PriceRates(
        input_per_million=text(found.input),
        cached_input_per_million=text(found.cached_input),
        output_per_million=text(found.output),
        cache_write_per_million=_text(found.cache_write),
        reasoning_per_million=_text(found.reasoning),
        per_request=_text(found.request or None),
        per_image=_text(found.image or None),
        per_second=_text(found.second or None),
    )


def rate(asked: price_rules_pb2.ExchangeRate, rate_id: UUID) -> ExchangeRate:
    """Reads an exchange rate; raises TimeRangeInvalid and PriceInvalid."""
    start = moment(asked, "effective_time")
    if start is None:
        raise TimeRangeInvalid("Say from when the rate counts.", field="exchange_rate.effective_time")
    if not Decimal(asked.rate):
        raise PriceInvalid("A rate is greater than zero.", field="exchange_rate.rate")
    return ExchangeRate(start, rate_id, asked.currency, Decimal(asked.rate))


def exchange_rate(row: models.ExchangeRate) -> price_rules_pb2.ExchangeRate:
    """Builds an exchange rate."""
    return price_rules_pb2.ExchangeRate(
        id=str(row.id),
        currency=row.currency,
        rate=text(row.rate),
        effective_time=timestamps.of(row.effective_time),
    )
