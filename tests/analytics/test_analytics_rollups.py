"""Rollups: any order, any repetition, any division give the sums of the single usages."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from chassis.events.envelope import Event
from chassis.testing.databases import DatabaseFactory
from services.analytics.asking import Asked, By
from services.analytics.stretches import Division
from tests.analytics.make import Analytics, day, rated
from tests.usage import NEW, Person, freelancer, recorded, shuffled_thrice, tokens, usage
from wrtn.sessions.v1.events_pb2 import UsageRecorded

Key = tuple[datetime, str]
UTC_ZONE = ZoneInfo("UTC")
SEOUL = ZoneInfo("Asia/Seoul")


def people(tenant_id: UUID) -> list[Person]:
    """Two people in a team below two others, one in the upper team, one in a second tree, one in none."""
    top, middle, low, other = (NEW() for _ in range(4))
    paths = [(low, middle, top), (low, middle, top), (top,), (other,), ()]
    return [Person(tenant_id, path) for path in paths]


def world(
    tenant_id: UUID, count: int, seed: int = 7
) -> list[tuple[Person, datetime, Event[UsageRecorded], Decimal]]:
    """Usages of these people at any times of ten days, each with a cost of its own."""
    random = Random(seed)
    staff = people(tenant_id)
    found = []
    for _ in range(count):
        person = random.choice(staff)
        at = day(5) + timedelta(seconds=random.randrange(10 * 86400))
        used = tokens(random.randrange(50, 5000), random.randrange(50), random.randrange(9, 500), 4, 3, 2)
        message = usage(person, used, model=random.choice(["a/x", "b/y"]), at=at)
        found.append((person, at, recorded(message), Decimal(random.randrange(1, 10**9)).scaleb(-11)))
    return found


async def test_everything_three_times_and_shuffled_is_the_same_as_once_in_order(
    database: DatabaseFactory,
) -> None:
    once, thrice = Analytics(await database("analytics")), Analytics(await database("analytics"))
    tenant, alone = NEW(), freelancer()
    told = [*world(tenant, 150), (alone, day(5), recorded(usage(alone, at=day(5))), Decimal("0.5"))]
    await once.record(event for _, _, event, _ in told)
    await once.rate(rated(event, cost) for _, _, event, cost in told)
    costs = {event.id: cost for _, _, event, cost in told}
    events = shuffled_thrice(event for _, _, event, _ in told)
    for start in range(0, len(events), 40):
        batch = events[start : start + 40]
        # Other event ids, as after a replay by the source: the usage alone tells that it is the same.
        await thrice.rate(rated(event, costs[event.id]) for event in reversed(batch))
        await thrice.record(recorded(event.message) for event in batch)
    assert await once.dump(tenant, alone.tenant_id) == await thrice.dump(tenant, alone.tenant_id)


KEYS: dict[By, Callable[[Person, str], list[str]]] = {
    By.NOTHING: lambda person, model: [""],
    By.TEAM: lambda person, model: list(map(str, person.path)),
    By.EMPLOYEE: lambda person, model: [str(person.employee_id)],
    By.MODEL: lambda person, model: [model],
    By.ACCOUNT: lambda person, model: [str(person.account_id)],
}


def bucket_of(at: datetime, division: Division, zone: ZoneInfo, whole: datetime) -> datetime:
    """Answers by the calendar alone where a usage belongs."""
    if division is Division.WHOLE:
        return whole
    local = at.astimezone(zone).replace(minute=0, second=0, microsecond=0)
    return local.replace(hour=0) if division is Division.DAY else local


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul", "Asia/Kathmandu", "America/New_York"])
async def test_every_division_sums_up_the_single_usages(database: DatabaseFactory, zone: str) -> None:
    analytics, tenant = Analytics(await database("analytics")), NEW()
    told = world(tenant, 200)
    team = told[0][0].path[0] if told[0][0].path else next(p.path[0] for p, *_ in told if p.path)
    account = told[1][0].account_id
    await analytics.record(event for _, _, event, _ in told)
    await analytics.rate(rated(event, cost) for _, _, event, cost in told)
    filters: list[dict[str, UUID | str]] = [{}, {"team_id": team}, {"account_id": account}, {"model": "a/x"}]
    for division in Division:
        for by in By:
            for only in filters:
                start, end = day(6, 10, 15), day(13, 23, 45)
                asked = Asked(start, end, division, by, ZoneInfo(zone), **only)  # type: ignore[arg-type]
                expected: dict[Key, list[Decimal]] = defaultdict(list)
                total: list[Decimal] = []
                for person, at, event, cost in told:
                    model = event.message.model
                    if not (start <= at < end) or not _counts(person, model, only):
                        continue
                    total.append(cost)
                    for key in KEYS[by](person, model):
                        if by is By.TEAM and only.get("team_id") and UUID(key) not in _below(person, team):
                            continue
                        expected[bucket_of(at, division, ZoneInfo(zone), start), key].append(cost)
                rows = await analytics.rows(tenant, asked)
                if division is not Division.WHOLE or by is not By.NOTHING:
                    got = {
                        (row.bucket.begin, row.key): (row.counts.cost, row.counts.usage_count) for row in rows
                    }
                    assert got == {key: (sum(costs), len(costs)) for key, costs in expected.items()}
                    assert [(row.bucket.begin, row.key) for row in rows] == sorted(got)
                counts = await analytics.total(tenant, asked)
                assert (counts.cost, counts.usage_count, counts.rated_count) == (
                    sum(total),
                    len(total),
                    len(total),
                )


def _counts(person: Person, model: str, only: dict[str, UUID | str]) -> bool:
    return (
        only.get("team_id") in (None, *person.path)
        and only.get("account_id") in (None, person.account_id)
        and only.get("model") in (None, model)
    )


def _below(person: Person, team: UUID) -> tuple[UUID, ...]:
    return person.path[: person.path.index(team) + 1]


async def test_two_replicas_and_both_consumers_at_once_lose_nothing(database: DatabaseFactory) -> None:
    analytics, tenant = Analytics(await database("analytics")), NEW()
    told = world(tenant, 400)
    random = Random(3)

    async def replica(deliver: Callable[[list[int]], asyncio.Future[None]]) -> None:
        places = list(range(len(told)))
        random.shuffle(places)
        for start in range(0, len(places), 50):
            await deliver(places[start : start + 50])

    def recording(places: list[int]) -> asyncio.Future[None]:
        return asyncio.ensure_future(analytics.record(told[place][2] for place in places))

    def rating(places: list[int]) -> asyncio.Future[None]:
        return asyncio.ensure_future(
            analytics.rate(rated(told[place][2], told[place][3]) for place in places)
        )

    await asyncio.gather(replica(recording), replica(recording), replica(rating), replica(rating))
    asked = Asked(day(1), day(28), Division.WHOLE, By.NOTHING, SEOUL)
    counts = await analytics.total(tenant, asked)
    assert (counts.usage_count, counts.rated_count) == (400, 400)
    assert counts.cost == sum(cost for *_, cost in told)


async def test_a_cost_before_its_tokens_is_seen_as_rated_alone(database: DatabaseFactory) -> None:
    analytics, tenant = Analytics(await database("analytics")), NEW()
    event = recorded(usage(Person(tenant), tokens(100, 20, 10), at=day(5)))
    asked = Asked(day(1), day(28), Division.WHOLE, By.NOTHING, UTC_ZONE)
    await analytics.rate([rated(event, Decimal("0.25"))])
    before = await analytics.total(tenant, asked)
    await analytics.record([event])
    after = await analytics.total(tenant, asked)
    assert (before.usage_count, before.rated_count, before.cost) == (0, 1, Decimal("0.25"))
    assert (after.usage_count, after.rated_count, after.input_tokens) == (1, 1, 100)
