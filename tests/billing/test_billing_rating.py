"""Rating: exact, and what genai-prices itself calculates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal, Inexact, localcontext

import genai_prices
import pytest
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelInfo, Provider, StartDateConstraint
from hypothesis import given
from hypothesis import strategies as st

from chassis import decimals
from services.billing.pricing.price_source import Dated
from services.billing.pricing.rating import Rates, Schedule, Terms, Tier, Tokens, Window, cost
from tests.billing.make import REAL

TIMELINES = REAL.timelines
MODELS = [
    (provider, model)
    for provider in get_snapshot().providers
    for model in provider.models
    if f"{provider.id}/{model.id}" in TIMELINES
]
TOKENS = st.tuples(st.integers(0, 1_000_000), st.integers(0, 200_000), *[st.floats(0, 0.5)] * 3).map(
    lambda drawn: Tokens(
        drawn[0], int(drawn[0] * drawn[2]), drawn[1], int(drawn[1] * drawn[3]), int(drawn[0] * drawn[4])
    )
)
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def at(timeline: Sequence[Dated], moment: datetime) -> Schedule:
    """The schedule of the moment."""
    return [schedule for start, schedule in timeline if start <= moment][-1]


def theirs(provider: Provider, model: ModelInfo, tokens: Tokens, moment: datetime) -> Decimal:
    """What genai-prices calculates for all kinds of tokens, and for one request."""
    usage = genai_prices.Usage(
        input_tokens=tokens.input,
        cache_read_tokens=tokens.cached_input,
        cache_write_tokens=tokens.cache_write,
        output_tokens=tokens.output,
        output_reasoning_tokens=tokens.reasoning,
    )
    with localcontext(prec=60):
        return model.calc_price(usage, provider, genai_request_timestamp=moment).total_price


@given(st.sampled_from(MODELS), TOKENS, MOMENTS)
def test_costs_what_the_source_calculates(
    found: tuple[Provider, ModelInfo], tokens: Tokens, moment: datetime
) -> None:
    provider, model = found
    schedule = at(TIMELINES[f"{provider.id}/{model.id}"], moment)
    assert cost(schedule, tokens, moment) == theirs(provider, model, tokens, moment)


def test_costs_what_the_source_calculates_for_every_model_around_its_steps_and_dates() -> None:
    for provider, model in MODELS:
        timeline = TIMELINES[f"{provider.id}/{model.id}"]
        steps = {tier.above for _, schedule in timeline for tier in schedule.terms.tiers}
        inputs = {0, 1, 777, *steps, *(step + 1 for step in steps)}
        moments = {
            start + shift for start, _ in timeline[1:] for shift in (timedelta(), timedelta(microseconds=-1))
        }
        hours = range(24) if any(schedule.windows for _, schedule in timeline) else [12]
        moments |= {datetime(2026, 11, 20, hour, tzinfo=UTC) for hour in hours}
        for moment in moments:
            for read in inputs:
                tokens = Tokens(read, read // 3, 55, 21, read // 4)
                assert cost(at(timeline, moment), tokens, moment) == theirs(provider, model, tokens, moment)


def test_the_source_still_has_steps_dates_and_times_of_day() -> None:
    """Else the tests above would prove less than they seem to."""
    schedules = [schedule for timeline in TIMELINES.values() for _, schedule in timeline]
    assert any(schedule.terms.tiers for schedule in schedules)
    assert any(schedule.windows for schedule in schedules)
    assert any(len(timeline) > 3 for timeline in TIMELINES.values())
    bases = [schedule.terms.base for schedule in schedules]
    for kind in ("cache_write", "reasoning", "request", "second"):
        assert any(getattr(base, kind) for base in bases), kind
    assert any(
        isinstance(model.prices, list) and isinstance(model.prices[1].constraint, StartDateConstraint)
        for _, model in MODELS
    )


def test_a_second_of_sound_costs_its_part_of_the_hour() -> None:
    (schedule,) = [schedule for _, schedule in TIMELINES["openai/whisper-1"]]
    used = Tokens(0, 0, 0, seconds=90)
    assert cost(schedule, used, datetime(2026, 11, 20, tzinfo=UTC)) == Decimal("0.36") / 40


def test_images_requests_and_seconds_cost_what_each_of_them_does() -> None:
    units = {"request": Decimal("0.5"), "image": Decimal("0.04"), "second": Decimal("0.001")}
    base = rates("0", "0", "0")._replace(**units)
    used = Tokens(0, 0, 0, requests=3, images=2, seconds=7)
    assert cost(Schedule(Terms(base)), used, datetime(2026, 11, 20, tzinfo=UTC)) == Decimal("1.587")


def rates(read: str, cached: str, written: str) -> Rates:
    """Rates from texts."""
    return Rates(Decimal(read), Decimal(cached), Decimal(written))


def test_a_step_holds_for_the_whole_call_and_only_above_its_bound() -> None:
    terms = Terms(rates("1", "0.1", "2"), (Tier(100, rates("10", "1", "20")),))
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert cost(Schedule(terms), Tokens(100, 0, 1), noon) == Decimal("0.000102")
    assert cost(Schedule(terms), Tokens(101, 1, 1), noon) == Decimal("0.001021")


@pytest.mark.parametrize(
    ("hour", "dear"), [(21, False), (22, True), (23, True), (0, True), (1, True), (2, False), (12, False)]
)
def test_a_window_may_pass_midnight(hour: int, dear: bool) -> None:
    night = Window(time(22), time(2), Terms(rates("9", "9", "9")))
    schedule = Schedule(Terms(rates("1", "1", "1")), (night,))
    moment = datetime(2026, 11, 20, hour, tzinfo=UTC)
    assert cost(schedule, Tokens(1_000_000, 0, 0), moment) == (9 if dear else 1)


def test_nothing_is_rounded_and_what_would_be_fails() -> None:
    noon = datetime(2026, 11, 20, tzinfo=UTC)
    tiny = Schedule(Terms(rates("0.000000000000000000000000000001", "0", "123456789")))
    whole = "123456789.000000000000000000000000000000000001"
    assert decimals.text(cost(tiny, Tokens(1, 0, 1_000_000), noon)) == whole
    absurd = Schedule(Terms(rates(f"1{'0' * 99}.1", "0", "0.1")))
    with pytest.raises(Inexact):
        cost(absurd, Tokens(999_999_999, 0, 7), noon)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0.00123000", "0.00123"),
        ("1E+3", "1000"),
        ("0E-10", "0"),
        ("-0.0", "0"),
        ("1.10E-9", "0.0000000011"),
        ("12", "12"),
    ],
)
def test_decimals_have_no_exponent_and_no_superfluous_zeros(value: str, text: str) -> None:
    assert decimals.text(Decimal(value)) == text


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("openai/gpt-4.1", "openai/gpt-4.1"),
        ("openai/gpt-4.1-2025-04-14", "openai/gpt-4.1"),
        ("OpenAI/GPT-4.1", "openai/gpt-4.1"),
        ("gpt-4.1", "openai/gpt-4.1"),
        ("openrouter/openai/gpt-4o", "openrouter/openai/gpt-4o"),
        ("openai/of-my-own", None),
        ("nobody/nothing", None),
        ("nothing", None),
        ("", None),
        ("/", None),
    ],
)
def test_a_model_is_found_by_its_other_names(name: str, model: str | None) -> None:
    assert REAL.canonical(name) == model
