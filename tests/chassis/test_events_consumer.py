"""The consumer: each event takes effect once, however often, late or mixed up it is delivered."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import telemetry
from chassis.database import Transaction
from chassis.errors import Unavailable
from chassis.events import metrics
from chassis.events.envelope import Event
from chassis.testing.waiting import until
from tests.chassis.eventing import NEW, STREAM, World, note

SUBJECT = "wrtn.identity.v1.member.activated"
NOTES = metrics.APPLIED.labels("notes")


def headers(known: UUID, tenant: UUID, copy: int = 0) -> dict[str, str]:
    return {
        "ce-id": str(known),
        "ce-time": "2026-01-01T00:00:00+00:00",
        "ce-subject": str(known),
        "ce-wrtnversion": "1",
        "ce-wrtntenant": str(tenant),
        "Nats-Msg-Id": f"{known}.{copy}",
    }


async def test_an_event_takes_effect_once_and_within_a_moment(world: World) -> None:
    bus = await world.bus()
    await world.relay(bus)
    await world.runner(bus=bus)
    first = await world.tell()

    async def applied() -> bool:
        return await world.effects() == first

    await until(applied)
    loop = asyncio.get_running_loop()
    took = []
    for _ in range(20):
        begun, count = loop.time(), NOTES._value.get()
        await world.tell()
        await until(lambda count=count: NOTES._value.get() == count + 1)  # type: ignore[misc]
        took.append(loop.time() - begun)
    assert sorted(took)[10] < 0.1


async def test_events_delivered_three_times_and_shuffled_take_effect_once(world: World) -> None:
    bus = await world.bus()
    await world.relay(bus)
    await until(lambda: bus.connected)
    await world.tell()
    await until(world.sent)
    known = [NEW() for _ in range(300)]
    copies = [(each, copy) for each in known for copy in range(3)]
    random.Random(7).shuffle(copies)
    for each, copy in copies:
        await bus.jetstream.publish(SUBJECT, b"", headers=headers(each, world.tenant, copy))
    before = NOTES._value.get()
    await world.runner(bus=bus, batch=100)

    async def idle() -> bool:
        info = await bus.jetstream.consumer_info(STREAM, "sample-notes")
        return (info.num_pending, info.num_ack_pending) == (0, 0)

    await until(lambda: NOTES._value.get() > before)
    await until(idle)
    assert sorted(await world.effects())[-300:] == sorted(known)
    assert len(await world.effects()) == 301


async def test_a_batch_of_many_tenants_is_one_transaction_that_may_touch_all_of_them(world: World) -> None:
    bus = await world.bus()
    tenants = [NEW() for _ in range(20)]
    for tenant in tenants:
        await world.tell(1, tenant)
    calls = []

    async def count(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        calls.append((tx.scope.tenants, len(events)))
        await note(tx, events)

    await world.relay(bus)
    await until(world.sent)
    await world.runner(count, bus)

    async def applied() -> bool:
        return len(await world.effects(*tenants)) == 20

    await until(applied)
    assert calls == [(frozenset(tenants), 20)]


async def test_a_poison_event_in_the_middle_of_a_batch_stops_only_itself(world: World) -> None:
    bus = await world.bus()
    await world.relay(bus)
    known = await world.tell(100)
    await until(world.sent)
    poison, tries = known[41], 0

    async def refuse(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        nonlocal tries
        await note(tx, events)
        if any(event.id == poison for event in events):
            tries += len(events) == 1
            raise ValueError("poison")

    await world.runner(refuse, bus)

    async def dead() -> bool:
        return await world.letters("dead") == [poison]

    await until(dead)
    assert tries == 3
    assert sorted(await world.effects()) == sorted(set(known) - {poison})


async def test_a_poison_event_alone_is_dead_after_its_failures_and_not_before(world: World) -> None:
    bus = await world.bus()
    await world.relay(bus)
    states = []

    async def refuse(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        states.append((await world.letters("failing"), await world.letters("dead")))
        raise ValueError("poison")

    await world.runner(refuse, bus)
    known = await world.tell()

    async def dead() -> bool:
        return await world.letters("dead") == known

    await until(dead)
    assert states == [([], []), (known, []), (known, [])]
    assert await world.effects() == []


async def test_an_event_that_heals_is_forgotten_by_the_dead_letters(world: World) -> None:
    bus = await world.bus()
    await world.relay(bus)
    tries = 0

    async def second(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ValueError("not yet")
        await note(tx, events)

    await world.runner(second, bus)
    known = await world.tell()

    async def applied() -> bool:
        return await world.effects() == known

    await until(applied)
    assert await world.rows("SELECT 1 FROM wrtn_dead_letters") == []


async def test_what_cannot_be_decoded_is_a_poison_event(world: World) -> None:
    bus = await world.bus()
    await world.relay(bus)
    await world.runner(bus=bus)
    await until(lambda: bus.connected)
    await world.tell()
    await until(world.sent)
    broken, nameless = NEW(), {"other": "header"}
    await bus.jetstream.publish(SUBJECT, b"\xff\xff", headers=headers(broken, world.tenant))
    await bus.jetstream.publish(SUBJECT, b"", headers=nameless)
    good = await world.tell(3)

    async def two_dead() -> bool:
        return len(await world.letters("dead")) == 2

    await until(two_dead)
    assert broken in await world.letters("dead")

    async def flowed() -> bool:
        return set(good) <= set(await world.effects())

    await until(flowed)
    errors = await world.rows("SELECT last_error FROM wrtn_dead_letters ORDER BY 1")
    assert "DecodeError" in errors[0][0] or "DecodeError" in errors[1][0]


async def test_an_outage_is_no_failure_of_the_event(world: World) -> None:
    bus = await world.bus()
    await world.relay(bus)
    tries = 0

    async def flaky(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise Unavailable("The database is away.")
        await note(tx, events)

    await world.runner(flaky, bus, max_failures=1)
    known = await world.tell()

    async def applied() -> bool:
        return sorted(await world.effects()) == sorted(known)

    await until(applied)
    assert await world.rows("SELECT 1 FROM wrtn_dead_letters") == []


async def test_a_handler_that_is_unavailable_for_one_event_for_ever_does_not_hold_the_others(
    world: World,
) -> None:
    bus = await world.bus()
    await world.relay(bus)
    known = await world.tell(8)
    await until(world.sent)

    async def away(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        await note(tx, events)
        if any(event.id == known[2] for event in events):
            raise Unavailable("Not now.")

    await world.runner(away, bus, max_failures=2)

    async def dead() -> bool:
        return await world.letters("dead") == [known[2]]

    await until(dead)
    assert len(await world.effects()) == 7


async def test_a_cancellation_raised_by_a_handler_is_not_swallowed(world: World) -> None:
    bus = await world.bus()
    await world.relay(bus)

    async def cancelled(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        await note(tx, events)
        raise asyncio.CancelledError

    runner = await world.runner(cancelled, bus)
    await world.tell()
    await until(lambda: not runner.alive)
    assert await world.effects() == []
    assert await world.rows("SELECT 1 FROM wrtn_dead_letters") == []


async def test_two_replicas_share_the_work_and_each_event_takes_effect_once(world: World) -> None:
    by: dict[str, int] = {"one": 0, "two": 0}

    def counting(name: str) -> Any:
        async def count(tx: Transaction, events: Sequence[Event[Any]]) -> None:
            by[name] += len(events)
            await note(tx, events)

        return count

    await world.runner(counting("one"), batch=20)
    await world.runner(counting("two"), batch=20)
    await world.relay()
    known = []
    for _ in range(10):
        known += await world.tell(100)

    async def applied() -> bool:
        return len(await world.effects()) == 1000

    await until(applied)
    assert sorted(await world.effects()) == sorted(known)
    assert min(by.values()) > 0


async def test_stopping_finishes_the_batch_in_hand_and_hands_the_rest_to_others_at_once(world: World) -> None:
    bus = await world.bus()
    await world.relay(bus)
    known = await world.tell(60)
    await until(world.sent)
    begun, go_on = asyncio.Event(), asyncio.Event()
    in_hand: list[UUID] = []

    async def slow(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        # As many as had arrived when the runner asked, up to 20.
        in_hand.extend(event.id for event in events)
        begun.set()
        await go_on.wait()
        await note(tx, events)

    runner = await world.runner(slow, bus, batch=20)
    await begun.wait()
    stopping = asyncio.create_task(runner.stop())
    await asyncio.sleep(0)
    go_on.set()
    await stopping
    assert 0 < len(in_hand) <= 20
    assert sorted(await world.effects()) == sorted(in_hand)
    info = await bus.jetstream.consumer_info(STREAM, "sample-notes")
    assert info.ack_floor is not None
    assert info.ack_floor.stream_seq == len(in_hand)

    async def applied() -> bool:
        return sorted(await world.effects()) == sorted(known)

    await world.runner(bus=bus)
    # Sooner than ACK_WAIT, after which the stream would have delivered them anyway.
    await until(applied, 5)


async def test_the_span_of_a_batch_links_to_the_spans_that_caused_its_events(world: World) -> None:
    spans = InMemorySpanExporter()
    telemetry.record_spans("sample", SimpleSpanProcessor(spans))
    causes, within = [], []

    async def trace(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        within.append(telemetry.traceparent())
        await note(tx, events)

    for _ in range(2):
        with telemetry.span("cause") as cause:
            causes.append((int(cause.trace_id, 16), int(cause.span_id, 16)))
            await world.tell(3)
    await world.tell()
    await world.relay()
    await until(world.sent)
    await world.runner(trace)
    await until(lambda: any(each.name == "consume notes" for each in spans.get_finished_spans()))
    (batch,) = [each for each in spans.get_finished_spans() if each.name == "consume notes"]
    assert sorted((link.context.trace_id, link.context.span_id) for link in batch.links) == sorted(causes)
    assert batch.parent is None
    assert within == [f"00-{batch.context.trace_id:032x}-{batch.context.span_id:016x}-01"]
