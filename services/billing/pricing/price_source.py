"""The genai-prices package as a source of prices: what each model costs from when, and by which names.

Taken over: the prices in USD of input, cached input, cache write, output and reasoning tokens, of requests
and of seconds of sound, steps by context length, start dates and times of day. Not taken over, since usages
do not tell of them: tokens of sound, images and video apart from others, searches, pages, caches for an hour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal
from functools import cache, cached_property, lru_cache

import genai_prices
from genai_prices.data_snapshot import DataSnapshot, find_provider_by_id, get_snapshot
from genai_prices.types import (
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from services.billing.pricing.rating import ZERO, Rates, Schedule, Terms, Tier, Window

SOURCE = f"genai-prices {genai_prices.__version__}"
CURRENCY = "USD"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""From when a price counts that has no start."""

Dated = tuple[datetime, Schedule]

_PLACES = Decimal("1e-18")
"""To which the price of a second is rounded where the source names that of an hour."""
_EXACT = Context(prec=60)

# As genai-prices names them.
_TOKENS = ("input_mtok", "cache_read_mtok", "output_mtok", "cache_write_mtok", "output_reasoning_mtok")
_HOURS = ("input_audio_hours", "audio_hours")


class Source:
    """The prices and names of one snapshot of genai-prices."""

    def __init__(self, snapshot: DataSnapshot, name: str = SOURCE) -> None:
        self.name = name
        self._providers = snapshot.providers
        self._owners = {
            id(model): f"{provider.id}/{model.id}"
            for provider in self._providers
            for model in provider.models
        }
        self.canonical = lru_cache(maxsize=10_000)(self._canonical)
        """As `_canonical`, remembered: the same name always means the same model."""

    @cached_property
    def timelines(self) -> Mapping[str, Sequence[Dated]]:
        """The prices of each model that has any, `<provider id>/<model id>`, in order."""
        found = {self._owners[id(model)]: _dated(model) for each in self._providers for model in each.models}
        return {model: dated for model, dated in found.items() if dated}

    def _canonical(self, name: str) -> str | None:
        """Finds the model that the source knows by another name, such as a dated or an upper-case one.

        "vendor/name" is looked up at the vendor and at those whose models it offers; a bare name at
        the vendor to whom it belongs.
        """
        vendor, slash, model = name.partition("/")
        provider = find_provider_by_id(self._providers, vendor) if slash else self._vendor_of(name)
        if provider is None:
            return None
        found = provider.find_model(model if slash else name, all_providers=self._providers)
        return self._owners[id(found)] if found is not None else None

    def _vendor_of(self, name: str) -> Provider | None:
        named = name.lower()
        return next(
            (each for each in self._providers if each.model_match and each.model_match.is_match(named)), None
        )


@cache
def packaged() -> Source:
    """Answers what the package itself brings, read once a process."""
    return Source(get_snapshot())


def _dated(model: ModelInfo) -> list[Dated]:
    """Answers when which schedule begins; equal neighbours count as one."""
    conditional = model.prices if isinstance(model.prices, list) else [ConditionalPrice(prices=model.prices)]
    if not any(_priced(each.prices) for each in conditional):
        return []
    starts = {
        each.constraint.start_date for each in conditional if isinstance(each.constraint, StartDateConstraint)
    }
    found: list[Dated] = []
    for start in (None, *sorted(starts)):
        schedule = _schedule(conditional, start)
        if not found or found[-1][1] != schedule:
            found.append((_midnight(start) if start else EPOCH, schedule))
    return found


def _schedule(conditional: Sequence[ConditionalPrice], day: date | None) -> Schedule:
    """Answers the schedule on this day (None: before all start dates).

    As genai-prices reads its list: the last one that is active counts; if none is, the first of all.
    """
    windows: list[Window] = []
    for each in reversed(conditional):
        constraint = each.constraint
        if isinstance(constraint, TimeOfDateConstraint):
            windows.append(
                Window(_utc(constraint.start_time), _utc(constraint.end_time), _terms(each.prices))
            )
        elif constraint is None or (day is not None and day >= constraint.start_date):
            return Schedule(_terms(each.prices), tuple(windows))
    return Schedule(_terms(conditional[0].prices), tuple(windows))


def _terms(prices: ModelPrice) -> Terms:
    found = (getattr(prices, kind) for kind in _TOKENS)
    steps = {step.start for price in found if isinstance(price, TieredPrices) for step in price.tiers}
    tiers = tuple(Tier(step, _rates(prices, step)) for step in sorted(steps))
    return Terms(_rates(prices, None), tiers)


def _rates(prices: ModelPrice, step: int | None) -> Rates:
    """Answers the rates in this step. Cached input without a price costs what input does."""
    fresh, cached, written, stored, reasoning = (_rate(getattr(prices, kind), step) for kind in _TOKENS)
    plain = fresh if fresh is not None else ZERO
    request = _rate(prices.requests_kcount, step) or ZERO
    hour = next((rate for kind in _HOURS if (rate := _rate(getattr(prices, kind), step))), ZERO)
    return Rates(
        plain,
        cached if cached is not None else plain,
        written if written is not None else ZERO,
        stored,
        reasoning,
        request=_EXACT.scaleb(request, -3),
        second=_EXACT.divide(hour, 3600).quantize(_PLACES).normalize(_EXACT),
    )


def _rate(price: Decimal | TieredPrices | None, step: int | None) -> Decimal | None:
    if not isinstance(price, TieredPrices):
        return price
    reached = [tier.price for tier in price.tiers if step is not None and tier.start <= step]
    return reached[-1] if reached else price.base


def _priced(prices: ModelPrice) -> bool:
    return any(getattr(prices, kind) is not None for kind in (*_TOKENS, *_HOURS, "requests_kcount"))


def _utc(of_day: time) -> time:
    """Answers the time of day in UTC; one without a zone is in UTC."""
    aware = of_day if of_day.tzinfo else of_day.replace(tzinfo=UTC)
    return datetime.combine(date(1970, 1, 1), aware).astimezone(UTC).time()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
