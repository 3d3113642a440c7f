"""What a usage costs. Pure and exact: an amount that would have to be rounded is an error."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import (
    Clamped,
    Context,
    Decimal,
    FloatOperation,
    Inexact,
    InvalidOperation,
    Overflow,
    Rounded,
    Subnormal,
)
from itertools import chain
from typing import NamedTuple
from uuid import UUID

ZERO = Decimal(0)
# More digits than any price times any number of tokens has; should they not suffice, rating fails aloud.
EXACT = Context(
    prec=100, traps=[Clamped, FloatOperation, Inexact, InvalidOperation, Overflow, Rounded, Subnormal]
)
_MILLION = 6
"""As a power of ten: dividing by it only moves the point."""


class Rates(NamedTuple):
    """Prices of a million tokens of each kind, and of one of whatever else is counted."""

    input: Decimal
    cached_input: Decimal
    output: Decimal
    cache_write: Decimal | None = None
    """As input, if there is none."""
    reasoning: Decimal | None = None
    """As output, if there is none."""
    request: Decimal = ZERO
    image: Decimal = ZERO
    second: Decimal = ZERO


class Tokens(NamedTuple):
    """What is priced of a usage.

    Those read from the cache or written to it are among the input, those spent on reasoning among the output.
    """

    input: int
    cached_input: int
    output: int
    reasoning: int = 0
    cache_write: int = 0
    requests: int = 1
    images: int = 0
    seconds: int = 0


class Tier(NamedTuple):
    """A step by context length: it sets the rates of calls with more input tokens than `above`."""

    above: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Terms:
    """Rates with their steps, in ascending order."""

    base: Rates
    tiers: tuple[Tier, ...] = ()

    def rates_for(self, input_tokens: int) -> Rates:
        """Answers the rates of the whole call: those of the highest step that it exceeds."""
        for tier in reversed(self.tiers):
            if input_tokens > tier.above:
                return tier.rates
        return self.base


class Window(NamedTuple):
    """Other terms in a part of each day, in UTC; `end` is exclusive and may lie past midnight."""

    start: time
    end: time
    terms: Terms

    def covers(self, moment: time) -> bool:
        """Whether the time of day lies in the window."""
        if self.end < self.start:
            return moment >= self.start or moment < self.end
        return self.start <= moment < self.end


@dataclass(frozen=True, slots=True)
class Schedule:
    """The terms of a model from some moment on. The first window that covers the time of day goes before."""

    terms: Terms
    windows: tuple[Window, ...] = ()

    def terms_at(self, moment: datetime) -> Terms:
        """Answers the terms at this moment's time of day."""
        if self.windows:
            of_day = moment.astimezone(UTC).time()
            for window in self.windows:
                if window.covers(of_day):
                    return window.terms
        return self.terms


@dataclass(frozen=True, slots=True)
class Price:
    """An entry of the price list. One of our own goes before the imported ones, until its end."""

    id: UUID
    model: str
    effective_time: datetime
    revision: int
    currency: str
    schedule: Schedule
    own: bool = False
    end_time: datetime | None = None


class Timeline:
    """All entries of one model, found by moment."""

    def __init__(self) -> None:
        self._keys: list[tuple[datetime, int]] = []
        self._prices: list[Price] = []
        self._own: dict[UUID, Price] = {}

    def add(self, price: Price) -> None:
        """Adds an entry, or the end of one of our own; the same one again changes nothing."""
        if price.own:
            self._own[price.id] = price
            return
        key = (price.effective_time, price.revision)
        place = bisect_right(self._keys, key)
        if place and self._keys[place - 1] == key:
            return
        self._keys.insert(place, key)
        self._prices.insert(place, price)

    def at(self, moment: datetime) -> Price | None:
        """Answers our own entry that covers the moment; else the newest imported one up to it."""
        for own in self._own.values():
            if own.effective_time <= moment and (own.end_time is None or moment < own.end_time):
                return own
        place = bisect_right(self._keys, moment, key=lambda key: key[0])
        return self._prices[place - 1] if place else None

    def __iter__(self) -> Iterator[Price]:
        return chain(self._prices, self._own.values())


def cost(schedule: Schedule, tokens: Tokens, use_time: datetime) -> Decimal:
    """Answers the exact cost of a usage: each kind of token, as genai-prices calculates, and units.

    Raises decimal.Inexact rather than round.
    """
    rates = schedule.terms_at(use_time).rates_for(tokens.input)
    return EXACT.add(EXACT.scaleb(_of_tokens(rates, tokens), -_MILLION), _of_units(rates, tokens))


def _of_tokens(rates: Rates, tokens: Tokens) -> Decimal:
    """Answers a million times what the tokens cost. A kind without a rate costs what it is among."""
    fresh, written = tokens.input - tokens.cached_input, tokens.output
    found = EXACT.multiply(rates.cached_input, tokens.cached_input)
    if tokens.cache_write and rates.cache_write is not None:
        fresh -= tokens.cache_write
        found = EXACT.fma(rates.cache_write, tokens.cache_write, found)
    if tokens.reasoning and rates.reasoning is not None:
        written -= tokens.reasoning
        found = EXACT.fma(rates.reasoning, tokens.reasoning, found)
    return EXACT.fma(rates.output, written, EXACT.fma(rates.input, fresh, found))


def _of_units(rates: Rates, tokens: Tokens) -> Decimal:
    found = ZERO
    if rates.request:
        found = EXACT.fma(rates.request, tokens.requests, found)
    if rates.image:
        found = EXACT.fma(rates.image, tokens.images, found)
    if rates.second:
        found = EXACT.fma(rates.second, tokens.seconds, found)
    return found
