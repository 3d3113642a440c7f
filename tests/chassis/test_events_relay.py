"""The relay: what is committed gets published, whatever dies in between."""

from __future__ import annotations

import asyncio

import pytest

from chassis.database import Scope
from chassis.events import metrics
from chassis.testing.waiting import until
from tests.chassis.eventing import NEW, SERVICE, STREAM, World
from wrtn.identity.v1.events_pb2 import MemberActivated


def published() -> float:
    return float(metrics.RELAYED.labels(SERVICE)._value.get())


async def test_a_committed_event_is_in_the_stream_and_marked_as_sent(world: World) -> None:
    bus = await world.bus()
    await world.relay(bus)
    async with world.database.app.transaction(Scope.of(world.tenant)) as tx:
        known = tx.publish(MemberActivated(member_id="m"), aggregate_id=NEW(), version=7)
    await until(world.sent)
    message = await bus.jetstream.get_msg(STREAM, 1)
    assert message.subject == "wrtn.identity.v1.member.activated"
    assert message.headers is not None
    assert message.headers["ce-id"] == str(known)
    assert message.headers["ce-wrtntenant"] == str(world.tenant)
    assert message.headers["ce-wrtnversion"] == "7"
    assert MemberActivated.FromString(message.data or b"").member_id == "m"


async def test_only_commits_that_leave_events_wake_the_relay(world: World) -> None:
    database, woken = world.database.app, 0

    def wake() -> None:
        nonlocal woken
        woken += 1

    database.on_events = wake
    async with database.transaction(Scope.of(world.tenant)) as tx:
        await (await tx.driver()).execute("SELECT 1")
    assert woken == 0
    async with database.transaction(Scope.of(world.tenant)) as tx:
        tx.publish(MemberActivated(), aggregate_id=NEW())
    await world.tell()  # by a statement of its own
    assert woken == 2


async def test_what_is_rolled_back_is_never_published(world: World) -> None:
    bus = await world.bus()
    await world.relay(bus)

    async def fail() -> None:
        async with world.database.app.transaction(Scope.of(world.tenant)) as tx:
            tx.publish(MemberActivated(), aggregate_id=NEW())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    await world.tell()
    await until(world.sent)
    assert await world.stored(bus) == 1


async def test_events_committed_while_nats_is_down_are_sent_when_it_is_up(world: World) -> None:
    await asyncio.to_thread(world.nats.stop)
    bus = await world.bus()
    await world.relay(bus)
    await world.tell(1200)
    assert await world.unsent() == 1200
    await asyncio.to_thread(world.nats.start)
    await until(world.sent)
    assert await world.stored(bus) == 1200


async def test_a_relay_killed_between_publish_and_mark_publishes_again_and_the_stream_drops_it(
    world: World,
) -> None:
    async with world.owner() as owner:
        # The mark fails and rolls back: what a kill at that moment leaves behind.
        await owner.execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'killed'; END $$"
        )
        await owner.execute(
            "CREATE TRIGGER killed BEFORE UPDATE OF sent_time ON wrtn_outbox FOR EACH STATEMENT "
            "WHEN (current_setting('wrtn.kill', true) IS NULL) EXECUTE FUNCTION fail()"
        )
        await owner.execute("ALTER TABLE wrtn_outbox DISABLE TRIGGER killed")
        bus = await world.bus()
        await world.relay(bus)
        await until(lambda: bool(bus.connected))
        await world.tell()
        await until(world.sent)
        await owner.execute("ALTER TABLE wrtn_outbox ENABLE TRIGGER killed")
        await world.tell(20)

        async def all_there() -> bool:
            return await world.stored(bus) == 21

        await until(all_there)
        assert await world.unsent() == 20
        await owner.execute("DROP TRIGGER killed ON wrtn_outbox")
    await until(world.sent)
    assert await world.stored(bus) == 21


async def test_two_relays_share_an_outbox_without_publishing_anything_twice(world: World) -> None:
    first, second = await world.bus(), await world.bus()
    await world.relay(first, batch=50)
    await world.relay(second, batch=50)
    await until(lambda: first.connected and second.connected)
    await world.tell()
    await until(world.sent)
    before = published()
    for _ in range(5):
        await world.tell(400)
    await until(world.sent)
    # Counted just after the mark is committed.
    await until(lambda: published() - before >= 2000)
    assert published() - before == 2000
    assert await world.stored(first) == 2001


async def test_a_deleted_stream_is_made_again_and_gets_everything_that_is_kept(world: World) -> None:
    bus = await world.bus()
    await world.relay(bus)
    known = await world.tell(300)
    await until(world.sent)
    await bus.jetstream.delete_stream(STREAM)
    await world.tell()

    async def all_there() -> bool:
        return await world.sent() and await world.stored(bus) == 301

    # Sooner than the relay would look by itself.
    await until(all_there, 6)
    epochs = {row[0] for row in await world.rows("SELECT epoch FROM wrtn_outbox")}
    message = await bus.jetstream.get_msg(STREAM, 1)
    assert message.headers is not None
    assert message.headers["ce-id"] in map(str, known)
    assert message.headers["Nats-Msg-Id"].split(".")[1] in epochs


async def test_a_wiped_store_is_filled_again_without_a_new_event(world: World) -> None:
    bus = await world.bus()
    await world.relay(bus)
    await world.tell(300)
    await until(world.sent)
    await asyncio.to_thread(world.nats.kill)
    await asyncio.to_thread(world.nats.wipe)
    await asyncio.to_thread(world.nats.start)

    async def all_there() -> bool:
        return bus.connected and await world.sent() and await world.stored(bus) == 300

    await until(lambda: bus.generation == 2)
    await until(all_there)


async def test_a_relay_started_after_the_stream_was_lost_fills_it_again(world: World) -> None:
    bus = await world.bus()
    relay = await world.relay(bus)
    await world.tell(30)
    await until(world.sent)
    await relay.stop()
    await bus.jetstream.delete_stream(STREAM)
    await world.relay(bus)

    async def all_there() -> bool:
        return await world.stored(bus) == 30

    await until(all_there)


async def test_a_relay_started_again_does_not_resend_what_its_stream_holds(world: World) -> None:
    bus = await world.bus()
    relay = await world.relay(bus)
    await world.tell(30)
    await until(world.sent)
    await relay.stop()
    epochs = await world.rows("SELECT DISTINCT epoch FROM wrtn_outbox")
    await world.relay(bus)
    await world.tell()
    await until(world.sent)
    assert await world.stored(bus) == 31
    assert len(await world.rows("SELECT DISTINCT epoch FROM wrtn_outbox")) == len(epochs) + 1


async def test_stopping_sends_what_is_committed(world: World) -> None:
    bus = await world.bus()
    relay = await world.relay(bus, batch=50)
    await bus.ready()
    await world.tell(250)
    await relay.stop()
    assert await world.unsent() == 0


async def test_a_stream_that_lost_its_tail_is_filled_again_past_the_duplicate_window(world: World) -> None:
    bus = await world.bus()
    await world.relay(bus)
    await world.tell(10)
    await until(world.sent)
    # The same stream, shorter than what it acknowledged: its store was put back to an earlier state.
    info = await bus.jetstream.stream_info(STREAM)
    relay = await world.relay(bus)
    await until(lambda: relay._checked_generation == bus.generation)
    relay._high = info.state.last_seq + 5
    relay._checked_generation = -1
    relay.wake()

    async def twice() -> bool:
        return await world.stored(bus) == 20

    await until(twice)


async def test_nothing_is_lost_when_nats_is_killed_under_publishing(world: World) -> None:
    bus = await world.bus()
    await world.relay(bus, batch=25)
    await until(lambda: bus.connected)
    known: list[str] = []
    for _ in range(3):
        known += map(str, await world.tell(500))
        await until(lambda: bus.connected)
        await asyncio.to_thread(world.nats.kill)
        await asyncio.to_thread(world.nats.start)
    await until(lambda: bus.connected)
    await until(world.sent)
    found = set()
    info = await bus.jetstream.stream_info(STREAM)
    for sequence in range(1, info.state.last_seq + 1):
        message = await bus.jetstream.get_msg(STREAM, sequence)
        found.add((message.headers or {})["ce-id"])
    assert found == set(known)
