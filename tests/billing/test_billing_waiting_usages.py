"""Usage that came before its enterprise is rated in the end, without anybody's doing."""

from __future__ import annotations

from uuid import UUID

import pytest

from chassis.database import Scope
from chassis.events import dead_letters
from chassis.events.effects import Effects
from chassis.events.envelope import Event
from chassis.testing.waiting import until
from services.billing.consumers import Rating
from services.billing.pricing.price_list import PriceList
from services.billing.usage.waiting import WaitingUsages
from tests.billing.make import REAL
from tests.billing.purses import BEFORE, Purses
from tests.billing.test_billing_unknown_enterprises import delivered
from tests.usage import NEW, Person, recorded, tokens, usage
from wrtn.enterprise.v1.events_pb2 import EnterpriseCreated

pytestmark = pytest.mark.asyncio(loop_scope="module")
DEAD = dead_letters.State.DEAD


async def test_usage_is_rated_once_its_enterprise_is_known_and_other_dead_letters_stay(
    shared: Purses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.events.effects.PASSING_TRIES", 1)
    early, never = Person(NEW()), Person(NEW())
    waiting, lost = recorded(usage(early)), recorded(usage(never))
    # Of an enterprise that is known by then, and yet no usage.
    wrong = Event(NEW(), waiting.time, early.tenant_id, NEW(), 1, usage(early, tokens(1, 5, 0)))
    effects = Effects(shared.database.app, Rating(PriceList(REAL)).consumer(), lambda _: None)
    job = WaitingUsages(shared.running.runtime.worker)

    async def letters() -> dict[UUID, dead_letters.State]:
        async with shared.database.worker.snapshot(Scope()) as snapshot:
            found = await dead_letters.letters(await snapshot.driver())
        return {letter.event_id: letter.state for letter in found}

    for each in (waiting, lost):
        for _ in range(5):
            await effects.apply([delivered(each)])
    await job.run()
    assert await letters() == {waiting.id: DEAD, lost.id: DEAD}
    fact = EnterpriseCreated(enterprise_id=str(early.tenant_id), time_zone="UTC", currency="USD")
    await shared.tell("enterprise", early.tenant_id, fact, early.tenant_id, 1, BEFORE)
    await shared.appears("wrtn_known_currencies", early.tenant_id)
    for _ in range(5):
        await effects.apply([delivered(wrong)])
    for _ in range(2):
        await job.run()
    await shared.appears("wrtn_usages", early.tenant_id)

    async def gone() -> bool:
        return await letters() == {lost.id: DEAD, wrong.id: DEAD}

    await until(gone)
    assert await shared.rows(early.tenant_id, "SELECT count(*) FROM wrtn_usages") == [(1,)]
