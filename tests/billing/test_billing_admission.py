"""What fits into budgets, decided on plain values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as some

from services.billing.spending.admission import Ask, Counter, Level, admit

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def counter(
    limit: str = "10",
    *,
    spent: str = "0",
    reserved: str = "0",
    team: bool = False,
    employee: bool = False,
    soft: bool = False,
    requests: int = 0,
    tokens: int = 0,
) -> Counter:
    return Counter(
        budget_id=UUID(int=1),
        tenant_id=UUID(int=2),
        team_id=UUID(int=3) if team else None,
        employee_id=UUID(int=4) if employee else None,
        limit=Decimal(limit),
        soft=soft,
        requests_per_minute=requests,
        tokens_per_minute=tokens,
        start=NOW - timedelta(hours=1),
        end=NOW + timedelta(hours=1),
        spent=Decimal(spent),
        reserved=Decimal(reserved),
        drain_time=NOW,
    )


def ask(amount: str, tokens: int = 0) -> Ask:
    return Ask(Decimal(amount), tokens)


def test_what_fits_to_the_last_decimal_is_reserved_in_every_counter() -> None:
    counters = [counter("5"), counter("10", spent="4.5", reserved="0.5")]
    assert admit(ask("5"), counters, NOW) is None
    assert [each.reserved for each in counters] == [Decimal(5), Decimal("5.5")]


def test_what_is_too_dear_for_one_counter_changes_none() -> None:
    counters = [counter("10"), counter("10", spent="4", reserved="1.000001", team=True)]
    refusal = admit(ask("5"), counters, NOW)
    assert refusal is not None
    assert (refusal.counter, refusal.rate, refusal.wait) == (counters[1], False, 3600)
    assert [each.reserved for each in counters] == [Decimal(0), Decimal("1.000001")]
    assert [each.requests for each in counters] == [0, 0]


def test_after_an_overshoot_not_even_a_spending_of_nothing_fits() -> None:
    assert admit(ask("0"), [counter("10", spent="10.1")], NOW) is not None
    assert admit(ask("0"), [counter("10", spent="10")], NOW) is not None
    assert admit(ask("0"), [counter("10", spent="9.9")], NOW) is None


def test_a_soft_budget_refuses_nothing() -> None:
    soft = counter("1", spent="5", soft=True)
    assert admit(ask("5"), [soft], NOW) is None
    assert soft.reserved == 5


def test_the_first_level_that_refuses_is_named() -> None:
    counters = [counter("1", employee=True), counter("2", team=True)]
    refusal = admit(ask("5"), counters, NOW)
    assert refusal is not None
    assert refusal.counter.level is Level.EMPLOYEE


def test_requests_a_minute_are_bounded_and_drain_away_evenly() -> None:
    bounded = counter(requests=2)
    assert [admit(ask("0"), [bounded], NOW) for _ in range(2)] == [None, None]
    refusal = admit(ask("0"), [bounded], NOW)
    assert refusal is not None
    assert (refusal.rate, refusal.wait) == (True, 30)
    assert admit(ask("0"), [bounded], NOW + timedelta(seconds=29)) is not None
    assert admit(ask("0"), [bounded], NOW + timedelta(seconds=30)) is None


def test_tokens_a_minute_are_bounded() -> None:
    bounded = counter(tokens=1000)
    assert admit(ask("0", 600), [bounded], NOW) is None
    refusal = admit(ask("0", 600), [bounded], NOW)
    assert refusal is not None
    assert (refusal.rate, refusal.wait) == (True, 12)


def test_more_tokens_than_a_minute_has_never_fit() -> None:
    refusal = admit(ask("0", 1001), [counter(tokens=1000)], NOW)
    assert refusal is not None
    assert refusal.wait is None


@given(
    some.lists(some.decimals(0, 20, places=3), min_size=1, max_size=4),
    some.lists(some.decimals(0, 10, places=3), max_size=20),
)
def test_no_admission_takes_a_counter_above_its_limit(limits: list[Decimal], asked: list[Decimal]) -> None:
    counters = [replace(counter(), limit=limit) for limit in limits]
    admitted = sum((amount for amount in asked if admit(Ask(amount, 0), counters, NOW) is None), Decimal(0))
    for each in counters:
        assert each.reserved == admitted <= each.limit
