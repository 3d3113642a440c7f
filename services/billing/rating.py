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
from typing import NamedTuple
from uuid import UUID

ZERO = Decimal(0)
# More digits than any price times any number of tokens has; should they not suffice, rating fails aloud.
_EXACT = Context(
    prec=100, traps=[Clamped, FloatOperation, Inexact, InvalidOperation, Overflow, Rounded, Subnormal]
)
_MILLION = 6
"""As a power of ten: dividing by it only moves the point."""


class Rates(NamedTuple):
    """Prices of a million tokens."""

    input: Decimal
    cached_input: Decimal
    output: Decimal


class Tokens(NamedTuple):
    """What is priced of a usage. The cached ones are among the input."""

    input: int
    cached_input: int
    output: int


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
    """An entry of the price list."""

    id: UUID
    model: str
    effective_time: datetime
    revision: int
    currency: str
    schedule: Schedule


class Timeline:
    """All entries of one model, found by moment."""

    def __init__(self) -> None:
        self._keys: list[tuple[datetime, int]] = []
        self._prices: list[Price] = []

    def add(self, price: Price) -> None:
        """Adds an entry; the same one again changes nothing."""
        key = (price.effective_time, price.revision)
        place = bisect_right(self._keys, key)
        if place and self._keys[place - 1] == key:
            return
        self._keys.insert(place, key)
        self._prices.insert(place, price)

    def at(self, moment: datetime) -> Price | None:
        """Answers the entry with the greatest effective time up to this moment, the newest of several."""
        place = bisect_right(self._keys, moment, key=lambda key: key[0])
        return self._prices[place - 1] if place else None

    def __iter__(self) -> Iterator[Price]:
        return iter(self._prices)


def cost(schedule: Schedule, tokens: Tokens, use_time: datetime) -> Decimal:
    """Answers the exact cost of a usage.

    (input - cached) * input rate + cached * cached rate + output * output rate, each a million, as
    genai-prices calculates. Raises decimal.Inexact rather than round.
    """
    rates = schedule.terms_at(use_time).rates_for(tokens.input)
    fresh = _EXACT.multiply(rates.input, tokens.input - tokens.cached_input)
    cached = _EXACT.multiply(rates.cached_input, tokens.cached_input)
    written = _EXACT.multiply(rates.output, tokens.output)
    return _EXACT.scaleb(_EXACT.add(_EXACT.add(fresh, cached), written), -_MILLION)
