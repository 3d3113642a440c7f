"""Dead letters: an operator lists them, and replays or discards them, once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from chassis.database import Scope, Transaction
from chassis.embedded.nats import Nats
from chassis.events import dead_letters, runner
from chassis.events.envelope import Event
from chassis.events.inbox import claim
from chassis.testing.databases import ServiceDatabase
from chassis.testing.waiting import until
from tests.chassis.eventing import NEW, World, note, running

Broken = set[UUID]


@pytest_asyncio.fixture
async def world(
    service_database: ServiceDatabase, nats: Nats, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    monkeypatch.setattr(runner, "REPLAY_EVERY", 0.1)
    async with running(service_database, nats) as made:
        yield made


async def poisoned(world: World) -> tuple[list[UUID], Broken]:
    """A running consumer that has given up on two events and refuses what is in the set that it answers."""
    bus = await world.bus()
    await world.relay(bus)
    known = await world.tell(2)
    broken = set(known)

    async def refuse(tx: Transaction, events: Sequence[Event[Any]]) -> None:
        await note(tx, events)
        if any(event.id in broken for event in events):
            raise ValueError("the balance of anna@example.org is 12.50")

    await world.runner(refuse, bus, max_failures=1)

    async def dead() -> bool:
        return len(await world.letters("dead")) == 2

    await until(dead)
    return known, broken


def command(world: World, *arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    dead_letters.main(arguments, {"WRTN_DATABASE_WORKER_URL": world.database.urls.worker})
    return capsys.readouterr().out


async def run(world: World, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    return await asyncio.to_thread(command, world, "sample", *arguments, capsys=capsys)


async def test_the_list_says_what_failed_and_quotes_nothing(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    known, _ = await poisoned(world)
    lines = [
        json.loads(line) for line in (await run(world, capsys, "list")).splitlines() if line.startswith("{")
    ]
    assert {UUID(line["event"]) for line in lines} == set(known)
    assert lines[0]["state"] == "dead"
    assert lines[0]["tenant"] == str(world.tenant)
    assert lines[0]["error"].startswith("ValueError at refuse:")
    assert "anna" not in json.dumps(lines)


async def test_a_replay_applies_the_event_once(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    known, broken = await poisoned(world)
    broken.clear()
    said = await run(world, capsys, "replay", "--consumer", "notes", "--event", str(known[0]))
    assert "replay: 1 dead letters" in said

    async def applied() -> bool:
        return await world.effects() == known[:1]

    await until(applied)
    assert await world.letters("dead") == known[1:]
    assert "replay: 0" in await run(world, capsys, "replay", "--consumer", "notes", "--event", str(known[0]))
    assert "replay: 1" in await run(world, capsys, "replay", "--consumer", "notes", "--all")

    async def empty() -> bool:
        return await world.rows("SELECT 1 FROM wrtn_dead_letters") == []

    await until(empty)
    assert sorted(await world.effects()) == sorted(known)


async def test_a_replay_that_fails_is_dead_again(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    known, _ = await poisoned(world)
    await run(world, capsys, "replay", "--consumer", "notes", "--event", str(known[0]))

    async def twice() -> bool:
        rows = await world.rows(
            "SELECT event_id FROM wrtn_dead_letters WHERE failures = 2 AND state = 'dead'"
        )
        return rows == [(known[0],)]

    await until(twice)
    assert await world.effects() == []


async def test_a_discarded_event_never_takes_effect_even_when_it_comes_again(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    known, broken = await poisoned(world)
    broken.clear()
    assert "discard: 1" in await run(
        world, capsys, "discard", "--consumer", "notes", "--event", str(known[0])
    )
    assert await world.letters("discarded") == known[:1]
    async with world.database.app.transaction(Scope()) as tx:
        assert await claim(await tx.driver(), "notes", known) == set()
    assert "replay: 0" in await run(world, capsys, "replay", "--consumer", "notes", "--event", str(known[0]))


async def test_one_consumers_letter_does_not_keep_the_event_from_another(world: World) -> None:
    known, _ = await poisoned(world)
    async with world.database.app.transaction(Scope()) as tx:
        assert await claim(await tx.driver(), "other", known) == set(known)


async def test_the_command_line_refuses_what_is_half_said(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (
        ["sample", "replay", "--all"],
        ["sample", "discard", "--consumer", "notes"],
        ["sample", "replay", "--consumer", "notes", "--all", "--event", str(NEW())],
    ):
        with pytest.raises(SystemExit):
            dead_letters.main(arguments, {"WRTN_DATABASE_WORKER_URL": world.database.urls.worker})
    with pytest.raises(SystemExit):
        dead_letters.main(["sample", "list"], {})
    with pytest.raises(SystemExit, match="is not that of billing"):
        await asyncio.to_thread(
            dead_letters.main, ["billing", "list"], {"WRTN_DATABASE_WORKER_URL": world.database.urls.worker}
        )


async def test_two_replicas_replay_a_letter_once(world: World) -> None:
    known, broken = await poisoned(world)
    broken.clear()
    async with world.database.worker.transaction(Scope()) as tx:
        connection = await tx.driver()
        await dead_letters.replay(connection, "notes", known)
    taken = await asyncio.gather(*(take(world, known[0]) for _ in range(2)))
    assert sum(taken) <= 1


async def take(world: World, known: UUID) -> bool:
    async with world.database.app.transaction(Scope()) as tx:
        connection: psycopg.AsyncConnection[Any] = await tx.driver()
        return await dead_letters.take(connection, "notes", known)
