"""The consumer over outages: what it does when broker, connection, request or process is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from chassis.database import Transaction
from chassis.database.roles import connect
from chassis.embedded.postgres import Postgres
from chassis.events import metrics, pull, streams
from chassis.events.bus import Bus
from chassis.events.envelope import Event
from chassis.events.runner import Runner
from chassis.testing.waiting import until
from tests.chassis.eventing import STREAM, World, note


async def test_a_wiped_store_changes_no_effect_and_consumption_goes_on(world: World) -> None:
    bus = await world.bus()
    await world.relay(bus)
    await world.runner(bus=bus)
    known = await world.tell(200)

    async def applied() -> bool:
        return sorted(await world.effects()) == sorted(known)

    await until(applied)
    await asyncio.to_thread(world.nats.kill)
    await asyncio.to_thread(world.nats.wipe)
    known += await world.tell(100)
    await asyncio.to_thread(world.nats.start)
    await until(applied)

    async def idle() -> bool:
        if not bus.connected or await world.stored(bus) != 300:
            return False
        info = await bus.jetstream.consumer_info(STREAM, "sample-notes")
        return (info.num_pending, info.num_ack_pending) == (0, 0)

    await until(idle)
    assert await applied()


async def test_a_deleted_durable_is_made_again(world: World) -> None:
    bus = await world.bus()
    await world.relay(bus)
    await world.runner(bus=bus)
    known = await world.tell(10)

    async def applied() -> bool:
        return sorted(await world.effects()) == sorted(known)

    await until(applied)
    await bus.jetstream.delete_consumer(STREAM, "sample-notes")
    known += await world.tell(10)
    await until(applied)


async def test_a_lost_pull_request_is_noticed_by_the_missing_heartbeat(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "HEARTBEAT", 0.2)
    monkeypatch.setattr(pull, "SILENCE", 0.6)
    monkeypatch.setattr(pull, "LOOK", 3600.0)
    await lose_request(world)


async def test_messages_that_wait_in_vain_are_noticed_by_looking_at_the_consumer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "HEARTBEAT", 0.2)
    monkeypatch.setattr(pull, "SILENCE", 3600.0)
    monkeypatch.setattr(pull, "LOOK", 0.3)
    await lose_request(world)


async def lose_request(world: World) -> None:
    bus = await world.bus()
    await world.relay(bus)
    runner = await world.runner(bus=bus)
    known = await world.tell()

    async def applied() -> bool:
        return sorted(await world.effects()) == sorted(known)

    await until(applied)
    subscription = runner._pull._subscription
    assert subscription is not None
    # The server drops a request whose inbox nobody hears; the client is not told.
    await bus.client._send_unsubscribe(subscription._id)
    known += await world.tell()
    await until(applied)


async def test_what_a_killed_process_had_in_hand_is_delivered_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "ACK_WAIT", timedelta(seconds=1))
    dying = await world.bus()
    await world.relay()
    known = await world.tell(10)
    held = asyncio.Event()

    async def hold(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        await note(tx, events)
        held.set()
        await asyncio.sleep(3600)

    runner = await world.runner(hold, dying)
    await held.wait()
    await kill(runner, dying)
    await world.runner()

    async def applied() -> bool:
        return sorted(await world.effects()) == sorted(known)

    await until(applied)


async def test_an_effect_committed_before_its_acknowledgement_was_lost_is_not_repeated(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "ACK_WAIT", timedelta(seconds=1))
    dying = await world.bus()
    await world.relay()
    runner = await world.runner(bus=dying)
    runner._answer = asyncio.Event().wait  # type: ignore[method-assign, assignment]  # killed before the ack
    known = await world.tell(10)

    async def applied() -> bool:
        return sorted(await world.effects()) == sorted(known)

    await until(applied)
    repeated = metrics.REPEATED.labels("notes")._value.get()
    del runner._answer
    await kill(runner, dying)
    await world.runner()
    await until(lambda: metrics.REPEATED.labels("notes")._value.get() == repeated + 10)
    assert await applied()


async def kill(runner: Runner, bus: Bus) -> None:
    """What a kill does, as far as the database and the broker can tell: nothing more is said."""
    for task in runner._tasks:
        task.cancel()
    runner._answers.clear()
    await bus.close()


async def test_lost_database_connections_cost_nothing_but_a_moment(world: World, postgres: Postgres) -> None:
    bus = await world.bus()
    await world.relay(bus)
    await world.runner(bus=bus)
    known: list[UUID] = []

    async def applied() -> bool:
        return sorted(await world.effects()) == sorted(known)

    for _ in range(3):
        known += await world.tell(50)
        with connect(postgres.url()) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                (world.database.name,),
            )
        known += await world.tell(50)
    await until(applied)
    assert await world.rows("SELECT 1 FROM wrtn_dead_letters") == []
