"""The bus: NATS comes and goes, and nobody has to be restarted for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from chassis.embedded.nats import Nats
from chassis.events.bus import BrokerUnavailable, Bus, Notice
from chassis.testing.waiting import until


@pytest_asyncio.fixture
async def bus(nats: Nats) -> AsyncIterator[Bus]:
    made = await Bus.connect(nats.url)
    yield made
    await made.close()


async def test_a_bus_starts_without_nats_and_finds_it_later(nats: Nats) -> None:
    await asyncio.to_thread(nats.stop)
    bus = await Bus.connect(nats.url)
    assert not bus.connected
    with pytest.raises(BrokerUnavailable):
        await bus.publish("live", b"")
    await asyncio.to_thread(nats.start)
    await asyncio.wait_for(bus.ready(), 5)
    await bus.publish("live", b"")
    await bus.close()


async def test_listeners_hear_on_after_nats_was_killed(nats: Nats, bus: Bus) -> None:
    heard: list[Notice] = []
    early = bus.listen("live.>", heard.append)
    await bus.ready()

    async def later(notice: Notice) -> None:
        heard.append(notice)

    bus.listen("live.*", later)
    await bus.client.flush()
    await bus.publish("live.one", b"1", {"key": "value"})
    await until(lambda: len(heard) == 2)
    assert heard[0] == Notice("live.one", {"key": "value"}, b"1")
    await asyncio.to_thread(nats.kill)
    await until(lambda: not bus.connected)
    assert bus.alive
    await asyncio.to_thread(nats.start)
    await until(lambda: bus.generation == 2)
    await bus.client.flush()
    await bus.publish("live.two", b"2")
    await until(lambda: len(heard) == 4)
    await early.close()
    await bus.publish("live.three", b"3")
    await until(lambda: len(heard) == 5)
    await bus.client.flush()
    assert len(heard) == 5


async def test_a_callback_that_fails_does_not_end_its_listener(bus: Bus) -> None:
    heard: list[str] = []

    def refuse(notice: Notice) -> None:
        heard.append(notice.subject)
        raise ValueError("no")

    bus.listen("live.>", refuse)
    await bus.ready()
    await bus.client.flush()
    await bus.publish("live.one", b"")
    await bus.publish("live.two", b"")
    await until(lambda: heard == ["live.one", "live.two"])


async def test_a_closed_client_is_replaced(bus: Bus) -> None:
    client = await bus.ready()
    await client.close()
    await until(lambda: bus.generation == 2)
    assert bus.connected
    assert bus.client is not client
