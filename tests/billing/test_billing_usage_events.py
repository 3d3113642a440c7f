"""Usages that arrive over NATS: billed once, told once, and a poisoned one alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from chassis.database import Scope
from chassis.events import dead_letters
from chassis.events.consumer import Consumer
from chassis.events.envelope import Event
from chassis.events.runner import Runner
from chassis.testing.tables import assert_models_match_migrations, assert_tables_guarded
from chassis.testing.waiting import until
from services.billing import models
from tests.billing.costing import Costing
from tests.billing.make import know, of_day
from tests.billing.purses import Purses
from tests.usage import NEW, Person, publish, recorded, tokens, usage
from wrtn.access.v1.access_pb2 import Title
from wrtn.billing.v1 import costs_pb2
from wrtn.billing.v1.events_pb2 import UsageRated

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_tables_are_guarded_and_models_match(shared: Purses) -> None:
    assert_tables_guarded(shared.database)
    assert_models_match_migrations(shared.database, models.Base.metadata)


async def test_usages_delivered_thrice_and_shuffled_are_billed_once_and_told_once(costing: Costing) -> None:
    enterprise, team = NEW(), NEW()
    owner = costing.callers.employee(enterprise, Title.TITLE_OWNER)
    people = [Person(enterprise, (team,)), Person(enterprise)]
    messages = [usage(people[n % 2], tokens(1000, 250, 100), at=of_day(3, n % 24)) for n in range(60)]
    told: list[Event[UsageRated]] = []

    async def hear(_: object, events: Sequence[Event[UsageRated]]) -> None:
        told.extend(event for event in events if event.tenant_id == enterprise)

    listener = Runner(
        costing.database.app,
        costing.running.runtime.bus,
        "listener",
        Consumer("listener", "billing", {UsageRated: hear}),
    )
    await listener.start()
    try:
        await costing.used(*messages, times=3)

        async def all_told() -> bool:
            return len(told) >= 60

        await until(all_told)
    finally:
        await listener.stop()
    # 750 * 2 + 250 * 0.5 + 100 * 8 dollars a million: 0.002425 each.
    answer = await costing.query(owner, costs_pb2.COST_GROUP_TEAM)
    assert (answer.currency, answer.total.cost, answer.total.usage_count) == ("USD", "0.1455", 60)
    assert (answer.charge_currency, answer.total.charge) == ("USD", "0.1455")
    assert [(row.key, row.cost) for row in answer.rows] == [(str(team), "0.07275")]
    assert len(told) == 60
    assert {event.message.history_id for event in told} == {message.history_id for message in messages}
    assert {event.message.cost for event in told} == {event.message.charge for event in told} == {"0.002425"}
    assert all(event.message.price_id for event in told)
    assert told[0].message.attribution in [person.attribution() for person in people]


async def test_a_poisoned_usage_stops_only_itself(costing: Costing) -> None:
    person = Person(NEW())
    good = [usage(person) for _ in range(20)]
    bad = usage(person)
    bad.attribution.account_id = "nobody"
    await know(costing.database, [person.tenant_id])
    events = [*map(recorded, good[:10]), recorded(bad), *map(recorded, good[10:])]
    await publish(costing.running.runtime.bus, "sessions", events)
    await costing.rated(good)

    async def letters() -> list[dead_letters.Letter]:
        async with costing.database.app.snapshot(Scope()) as snapshot:
            return await dead_letters.letters(await snapshot.driver(), "usages", dead_letters.State.DEAD)

    async def dead() -> bool:
        return bool(await letters())

    await until(dead, 40)
    assert [letter.event_id for letter in await letters()] == [events[10].id]
