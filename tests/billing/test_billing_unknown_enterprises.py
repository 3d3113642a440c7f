"""Usage of an enterprise of which billing has not heard yet: it comes again, but not for ever."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest
from nats.aio.msg import Msg

from chassis.database import Scope
from chassis.events import dead_letters
from chassis.events.effects import Effects, Outcome
from chassis.events.envelope import Event, headers, subject_of
from chassis.testing.databases import DatabaseFactory
from services.billing.consumers import Rating
from services.billing.pricing.price_list import PriceList
from tests.billing.make import billing, know, per_million, source
from tests.usage import NEW, Person, recorded, usage
from wrtn.sessions.v1.events_pb2 import UsageRecorded

PRICES = source("v1", m=per_million("0.1"))


def delivered(event: Event[UsageRecorded]) -> Msg:
    """The event as the stream delivers it."""
    subject = subject_of(UsageRecorded)
    told = headers(event.id, event.tenant_id, subject, event.aggregate_id, 1, None, event.time, None)
    return Msg(None, subject, "", event.message.SerializeToString(), told)  # type: ignore[arg-type]


async def test_usage_of_an_unknown_enterprise_waits_five_times_then_for_an_operator_and_holds_nobody_up(
    database: DatabaseFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each try is repeated at once where the failure may be the database's: here it is not.
    monkeypatch.setattr("chassis.events.effects.PASSING_TRIES", 1)
    service = await billing(await database("billing"), PRICES)
    unknown, known = Person(NEW()), Person(NEW())
    await know(service.database, [known.tenant_id])
    waiting = recorded(usage(unknown, model="test/m"))
    outcomes: list[Outcome] = []
    effects = Effects(service.database.app, Rating(PriceList(PRICES)).consumer(), outcomes.extend)

    async def rated(*tenants: UUID) -> int:
        return len(await service.rows("SELECT FROM wrtn_usages", *tenants))

    async def letters() -> Sequence[dead_letters.Letter]:
        async with service.database.worker.snapshot(Scope()) as snapshot:
            return await dead_letters.letters(await snapshot.driver())

    await effects.apply([delivered(waiting), delivered(recorded(usage(known, model="test/m")))])
    assert (await rated(known.tenant_id), await rated(unknown.tenant_id)) == (1, 0)
    for _ in range(4):
        await effects.apply([delivered(waiting)])
    # Longer each time, and then no more.
    delays = [each.delay for each in outcomes if each.message.data == waiting.message.SerializeToString()]
    assert delays == [0.5, 1.0, 2.0, 4.0, None]
    (letter,) = await letters()
    assert (letter.event_id, letter.state, letter.failures) == (waiting.id, dead_letters.State.DEAD, 5)
    assert "EnterpriseUnknown" in letter.last_error
    # Once billing has heard of it, the operator has it be rated, once.
    await know(service.database, [unknown.tenant_id])
    async with service.database.worker.transaction(Scope()) as tx:
        assert await dead_letters.replay(await tx.driver(), letter.consumer, None) == [waiting.id]
    for _ in range(2):
        await effects.replay(letter)
    assert (await rated(unknown.tenant_id), list(await letters())) == (1, [])
