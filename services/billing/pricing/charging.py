"""What a tenant is charged for a usage: what was agreed with them, in their currency. Pure and exact."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from services.billing.pricing.price_source import CURRENCY
from services.billing.pricing.rating import EXACT, ZERO, Rates, Schedule, Terms, Tokens, cost

_HUNDRED = 100


class RuleKind(StrEnum):
    """What a rule sets."""

    OVERRIDE = "OVERRIDE"
    MARKUP = "MARKUP"
    DISCOUNT = "DISCOUNT"


@dataclass(frozen=True, slots=True)
class Rule:
    """Something agreed with a tenant: other rates, or a percentage; for one model, or for all."""

    id: UUID
    kind: RuleKind
    model: str
    effective_time: datetime
    end_time: datetime | None
    percent: Decimal | None = None
    rates: Rates | None = None
    plan_id: UUID | None = None
    """The plan that it is of; None if it was agreed with the tenant."""

    def counts(self, model: str, moment: datetime) -> bool:
        """Whether it is about the model and counts at this moment."""
        return (
            self.model in ("", model)
            and self.effective_time <= moment
            and (self.end_time is None or moment < self.end_time)
        )


class ExchangeRate(NamedTuple):
    """What a US dollar is worth in a currency from a moment on."""

    effective_time: datetime
    id: UUID
    currency: str
    rate: Decimal


class Exchange:
    """The exchange rates read so far. It only grows, as the table does."""

    def __init__(self) -> None:
        self._rates: dict[str, list[ExchangeRate]] = {}
        self.last_sequence = 0
        """The newest rate that is in here."""

    def add(self, rates: Iterable[tuple[int, ExchangeRate]]) -> None:
        """Adds rates, each with its sequence."""
        for sequence, rate in rates:
            known = self._rates.setdefault(rate.currency, [])
            if rate not in known:
                insort(known, rate)
            self.last_sequence = max(self.last_sequence, sequence)

    def at(self, currency: str, moment: datetime) -> ExchangeRate | None:
        """Answers the newest rate of the currency up to this moment."""
        known = self._rates.get(currency, [])
        place = bisect_right(known, moment, key=lambda rate: rate.effective_time)
        return known[place - 1] if place else None


@dataclass(frozen=True, slots=True)
class Agreement:
    """What is agreed with a tenant, and which plans it had from when."""

    currency: str = CURRENCY
    rules: tuple[Rule, ...] = ()
    plans: tuple[tuple[datetime, UUID | None], ...] = ()
    """In ascending order; None where it had none."""

    def rule(self, kind: RuleKind, model: str, moment: datetime) -> Rule | None:
        """Answers the rule of this kind that counts.

        The tenant's own goes before that of its plan, and of each one for the model before one for all.
        """
        holders = (None, self.plan_at(moment))
        found = [
            rule
            for rule in self.rules
            if rule.kind is kind and rule.plan_id in holders and rule.counts(model, moment)
        ]
        return max(found, key=lambda rule: (rule.plan_id is None, bool(rule.model)), default=None)

    def or_in(self, currency: str) -> Agreement:
        """Answers itself; in this currency, if its own is not known."""
        return self if self.currency else replace(self, currency=currency)

    def plan_at(self, moment: datetime) -> UUID | None:
        """Answers the plan of this moment."""
        place = bisect_right(self.plans, moment, key=lambda phase: phase[0])
        return self.plans[place - 1][1] if place else None


class Charge(NamedTuple):
    """What is charged, and by what."""

    amount: Decimal
    currency: str
    rule_ids: tuple[UUID, ...] = ()
    exchange_rate_id: UUID | None = None


class Used(NamedTuple):
    """A usage that is charged: its model as the price list names it."""

    model: str
    tokens: Tokens
    use_time: datetime
    cost: Decimal


def charge(agreement: Agreement, exchange: Exchange, used: Used) -> Charge | None:
    """Answers the exact charge: the override, or cost * (1 + markup) * (1 - discount), at the exchange rate.

    None if the currency has no rate at that time.
    """
    amount, rules = _agreed(agreement, used) if agreement.rules else (used.cost, ())
    if agreement.currency == CURRENCY:
        return Charge(amount, CURRENCY, rules)
    rate = exchange.at(agreement.currency, used.use_time)
    if rate is None:
        return None
    return Charge(EXACT.multiply(amount, rate.rate), agreement.currency, rules, rate.id)


def _agreed(agreement: Agreement, used: Used) -> tuple[Decimal, tuple[UUID, ...]]:
    override = agreement.rule(RuleKind.OVERRIDE, used.model, used.use_time)
    if override is not None and override.rates is not None:
        return cost(Schedule(Terms(override.rates)), used.tokens, used.use_time), (override.id,)
    amount, rules = used.cost, []
    for kind, sign in ((RuleKind.MARKUP, 1), (RuleKind.DISCOUNT, -1)):
        rule = agreement.rule(kind, used.model, used.use_time)
        if rule is not None and rule.percent is not None:
            amount = EXACT.scaleb(EXACT.multiply(amount, _HUNDRED + sign * rule.percent), -2)
            rules.append(rule.id)
    return amount, tuple(rules)


def charged_rates(
    agreement: Agreement, exchange: Exchange, model: str, rates: Rates, now: datetime
) -> tuple[Rates, Charge] | None:
    """Answers what a tenant pays by rate, and by which rules; None without an exchange rate."""
    override = agreement.rule(RuleKind.OVERRIDE, model, now)
    base = override.rates if override is not None and override.rates is not None else rates
    one = Used(model, Tokens(0, 0, 0, requests=0), now, Decimal(1))
    plain = Agreement(agreement.currency, () if base is not rates else agreement.rules)
    factor = charge(plain, exchange, one)
    if factor is None:
        return None
    found = Rates(*(EXACT.multiply(each, factor.amount) if each is not None else None for each in base))  # type: ignore[arg-type]
    rules = (override.id,) if override is not None and base is not rates else factor.rule_ids
    return found, factor._replace(amount=ZERO, rule_ids=rules)
