"""When a group commit goes off: with those who are about to come again, and at once for whoever is alone."""

from __future__ import annotations

import asyncio

import pytest

from chassis import gathering
from chassis.gathering import Gathering


@pytest.fixture
def for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for whoever took part in the batch before until they come."""
    monkeypatch.setattr(gathering, "GATHER_SECONDS", 60)


def goes_off_at_once(queue: Gathering, waiting: int) -> bool:
    """Whether the batch is complete without ever being suspended."""
    waits = queue.complete(waiting)
    try:
        waits.send(None)
    except StopIteration:
        return True
    waits.close()
    return False


async def test_whoever_is_alone_never_waits(for_ever: None) -> None:
    queue = Gathering(500)
    for _ in range(3):
        queue.joined(1)
        assert goes_off_at_once(queue, 1)
        queue.ended(1, waiting=0)


async def test_those_of_the_batch_before_are_waited_for(for_ever: None) -> None:
    queue = Gathering(500)
    queue.ended(3, waiting=0)
    complete = asyncio.create_task(queue.complete(1))
    for waiting in (2, 3):
        await asyncio.sleep(0)
        assert not complete.done()
        queue.joined(waiting)
    await complete


async def test_those_who_waited_behind_a_batch_wait_for_it_to_come_again(for_ever: None) -> None:
    queue = Gathering(500)
    queue.ended(1, waiting=1)
    assert not goes_off_at_once(queue, 1)
    assert goes_off_at_once(queue, 2)


async def test_no_more_are_waited_for_than_a_batch_may_have(for_ever: None) -> None:
    queue = Gathering(2)
    queue.ended(2, waiting=5)
    assert goes_off_at_once(queue, 2)


async def test_who_does_not_come_again_holds_nobody_up_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "GATHER_SECONDS", 0.001)
    queue = Gathering(500)
    queue.ended(3, waiting=0)
    await queue.complete(1)


async def test_whoever_comes_after_a_pause_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "GATHER_SECONDS", 0)
    queue = Gathering(500)
    queue.ended(3, waiting=0)
    assert goes_off_at_once(queue, 1)
