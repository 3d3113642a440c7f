"""Usages as they come from sessions, rated: pure, from event to row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from chassis.database import arrays
from chassis.events.envelope import Event
from services.billing.errors import EnterpriseUnknown
from services.billing.pricing.charging import Agreement, Exchange, Used, charge
from services.billing.pricing.price_list import PriceList
from services.billing.pricing.price_source import CURRENCY
from services.billing.pricing.rating import ZERO, Tokens, cost
from wrtn.sessions.v1.events_pb2 import UsageRecorded

# The same accounts, teams and sessions come again and again.
_uuid = lru_cache(maxsize=100_000)(UUID)


_UNKNOWN = Agreement("")

Key = tuple[UUID, UUID]
"""Tenant and history: what a usage is known by."""


class UsageMalformed(ValueError):
    """The event cannot be a usage of its tenant; it goes to the dead letters."""


class Terms(NamedTuple):
    """By what the usages of a tenant are rated."""

    prices: PriceList
    exchange: Exchange
    agreement: Agreement


class Book(NamedTuple):
    """By what the usages of a batch are rated."""

    prices: PriceList
    exchange: Exchange
    agreements: Mapping[UUID, Agreement]

    def of(self, tenant_id: UUID, account_id: UUID) -> Terms:
        """Answers the terms of a tenant; raises EnterpriseUnknown while its currency is not known."""
        agreement = self.agreements.get(tenant_id, _UNKNOWN)
        if not agreement.currency and tenant_id != account_id:
            raise EnterpriseUnknown("The enterprise is not known yet.", retry_after=1)
        return Terms(self.prices, self.exchange, agreement.or_in(CURRENCY))


class RatedUsage(NamedTuple):
    """One usage with its cost, in the order of the columns of wrtn_usages."""

    tenant_id: UUID
    history_id: UUID
    chat_session_id: UUID
    account_id: UUID
    member_id: UUID
    employee_id: UUID | None
    team_id: UUID | None
    ancestor_team_ids: str
    """As an array literal of PostgreSQL: arrays of arrays cannot be unnested by row."""
    path_id: UUID
    title: int
    role: int
    model: str
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    accepted_prediction_tokens: int
    rejected_prediction_tokens: int
    cache_write_tokens: int
    requests: int
    images: int
    seconds: int
    price_id: UUID | None
    cost: Decimal
    """By the price list."""
    currency: str
    """Of the cost."""
    charge: Decimal
    """What the tenant pays."""
    charge_currency: str
    price_rule_ids: str
    """As an array literal, too."""
    exchange_rate_id: UUID | None
    use_time: datetime
    reservation_id: UUID | None
    procedure_id: UUID | None

    @property
    def resources(self) -> tuple[str, ...]:
        """What budgets may be for that cover it: everything, its model, and its procedure if it has one."""
        found = ("", f"model:{self.model}")
        return found if self.procedure_id is None else (*found, f"procedure:{self.procedure_id}")

    @property
    def key(self) -> Key:
        """Counted once, under whichever event id it comes."""
        return self.tenant_id, self.history_id

    @property
    def line(self) -> list[UUID]:
        """The team and those above it, the nearest first."""
        if self.team_id is None:
            return []
        above = self.ancestor_team_ids.strip("{}")
        return [self.team_id, *(_uuid(each) for each in above.split(",") if each)]


def rated(event: Event[UsageRecorded], book: Book) -> RatedUsage:
    """Rates the usage at the price of its moment; at zero, without a price, if its model has none.

    Raises UsageMalformed, or ValueError for what is no id.
    """
    message = event.message
    whose = message.attribution
    tenant_id = _uuid(whose.tenant_id)
    if tenant_id != event.tenant_id:
        raise UsageMalformed("the attribution names another tenant than the event")
    if not message.HasField("use_time"):
        raise UsageMalformed("the usage has no time")
    use_time = message.use_time.ToDatetime(UTC)
    written, tokens = message.tokens.output, _tokens(message)
    terms = book.of(tenant_id, _uuid(whose.account_id))
    ancestors = tuple(whose.ancestor_team_ids)
    return RatedUsage(
        tenant_id,
        UUID(message.history_id),
        _uuid(message.chat_session_id),
        _uuid(whose.account_id),
        _uuid(whose.member_id),
        _uuid(whose.employee_id) if whose.employee_id else None,
        _uuid(whose.team_id) if whose.team_id else None,
        arrays.of_ids(ancestors),
        arrays.path_id((whose.team_id, *ancestors) if whose.team_id else ()),
        whose.title,
        whose.role,
        message.model,
        tokens.input,
        tokens.cached_input,
        tokens.output,
        tokens.reasoning,
        int(written.accepted_prediction),
        int(written.rejected_prediction),
        tokens.cache_write,
        tokens.requests,
        tokens.images,
        tokens.seconds,
        *_priced(terms, message.model, tokens, use_time),
        use_time,
        UUID(message.reservation_id) if message.reservation_id else None,
        UUID(message.procedure_id) if message.procedure_id else None,
    )


def _priced(
    terms: Terms, model: str, tokens: Tokens, use_time: datetime
) -> tuple[UUID | None, Decimal, str, Decimal, str, str, UUID | None]:
    """Answers price, cost, charge, and by what: nothing at all without a price or an exchange rate."""
    price = terms.prices.at(model, use_time)
    if price is None:
        return None, ZERO, CURRENCY, ZERO, terms.agreement.currency, "{}", None
    whole = cost(price.schedule, tokens, use_time)
    paid = charge(terms.agreement, terms.exchange, Used(price.model, tokens, use_time, whole))
    if paid is None:
        return None, ZERO, CURRENCY, ZERO, terms.agreement.currency, "{}", None
    rules = arrays.of_ids(map(str, paid.rule_ids)) if paid.rule_ids else "{}"
    return price.id, whole, price.currency, paid.amount, paid.currency, rules, paid.exchange_rate_id


def _tokens(message: UsageRecorded) -> Tokens:
    """Reads what was used; raises UsageMalformed for numbers that contradict each other."""
    read, written = message.tokens.input, message.tokens.output
    fields = int(read.total), int(read.cached), int(written.total), int(written.reasoning)
    if message.HasField("units"):
        units = message.units
        tokens = Tokens(*fields, units.cache_write_tokens, units.requests or 1, units.images, units.seconds)
    else:
        tokens = Tokens(*fields)
    cached = tokens.cached_input + tokens.cache_write
    if min(tokens) < 0 or cached > tokens.input or tokens.reasoning > tokens.output:
        raise UsageMalformed("the numbers of tokens contradict each other")
    return tokens


def once_each(
    events: Iterable[Event[UsageRecorded]], book: Book
) -> dict[Key, tuple[Event[UsageRecorded], RatedUsage]]:
    """Rates each usage of a batch once; of repetitions under other event ids the first counts."""
    found: dict[Key, tuple[Event[UsageRecorded], RatedUsage]] = {}
    for event in events:
        usage = rated(event, book)
        found.setdefault(usage.key, (event, usage))
    return found
