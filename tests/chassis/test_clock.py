"""Ids are UUIDs of version 7 that rise within a process."""

from __future__ import annotations

from datetime import UTC, datetime

from chassis.clock import Clock


class Stopped(Clock):
    def now(self) -> datetime:
        return datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)


def test_an_id_carries_its_time_version_and_variant() -> None:
    made = Stopped().new_id()
    assert made.int >> 80 == int(Stopped().now().timestamp() * 1000)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")


def test_ids_rise_even_when_time_stands_still() -> None:
    clock = Stopped()
    made = [clock.new_id() for _ in range(10_000)]
    assert made == sorted(set(made))


def test_two_processes_do_not_make_the_same_id() -> None:
    assert Stopped().new_id() != Stopped().new_id()


def test_secrets_are_long_and_never_the_same() -> None:
    made = {Clock().secret() for _ in range(100)}
    assert len(made) == 100
    assert all(len(secret) >= 43 for secret in made)
