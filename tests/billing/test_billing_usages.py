"""Usages rated: once each, at the price of their moment, and the same in every sum."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from random import Random
from uuid import UUID

import psycopg
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from genai_prices.types import ConditionalPrice, StartDateConstraint
from sqlalchemy import create_engine, text

from chassis.database import Scope
from chassis.database.roles import connect
from chassis.events.envelope import Event
from chassis.testing.databases import DatabaseFactory
from services.billing.errors import PricesMissing
from services.billing.pricing.prices import import_prices
from services.billing.usage.sums import Asked, By, Sum, sums
from services.billing.usage.usages import UsageMalformed
from tests.billing.make import Billing, billing, of_day, per_million, source
from tests.usage import NEW, Person, freelancer, recorded, shuffled_thrice, tokens, usage
from wrtn.sessions.v1.events_pb2 import UsageRecorded

# 0.1 and 0.07 have no exact float: a sum by floats would be off.
PRICES = source("v1", cheap=per_million("0.1", "0.07", "0.03"), dear=per_million("75", "150"))
EVERYTHING = "SELECT * FROM {} AS kept ORDER BY kept::text"


def staff(tenant_id: UUID) -> list[Person]:
    """Two people in a team below two others, one in the upper team, one in a second tree, one in none."""
    top, middle, low, other = (NEW() for _ in range(4))
    paths = [(low, middle, top), (low, middle, top), (top,), (other,), ()]
    return [Person(tenant_id, path) for path in paths]


def world(people: list[Person], count: int, seed: int = 5) -> list[Event[UsageRecorded]]:
    """Usages of these people at any times of ten days."""
    random = Random(seed)
    return [
        recorded(
            usage(
                random.choice(people),
                tokens(random.randrange(50, 5000), random.randrange(50), random.randrange(9, 500), 4, 3, 2),
                model=random.choice(["test/cheap", "test/dear", "test/unknown"]),
                at=of_day(5) + timedelta(seconds=random.randrange(10 * 86400)),
            )
        )
        for _ in range(count)
    ]


def exact(message: UsageRecorded) -> Decimal:
    """What the usage costs by hand."""
    read, cached, written = (
        int(number)
        for number in (message.tokens.input.total, message.tokens.input.cached, message.tokens.output.total)
    )
    if message.model == "test/cheap":
        return (
            (read - cached) * Decimal("0.1") + cached * Decimal("0.03") + written * Decimal("0.07")
        ) / 1000000
    return (
        (read * Decimal(75) + written * Decimal(150)) / 1000000
        if message.model == "test/dear"
        else Decimal(0)
    )


async def summed(service: Billing, tenant_id: UUID, asked: Asked) -> tuple[Sum, list[Sum]]:
    async with service.database.app.snapshot(Scope.of(tenant_id)) as snapshot:
        return await sums(snapshot, tenant_id, asked)


async def test_everything_three_times_and_shuffled_is_the_same_as_once_in_order(
    database: DatabaseFactory,
) -> None:
    once = await billing(await database("billing"), PRICES)
    thrice = await billing(await database("billing"), PRICES)
    tenant, alone = NEW(), freelancer()
    events = [*world(staff(tenant), 150), recorded(usage(alone, model="test/dear"))]
    await once.rate(events)
    repeated = shuffled_thrice(events)
    for start in range(0, len(repeated), 40):
        # Other event ids, as after a replay by the source: the usage alone tells that it is the same.
        await thrice.rate(recorded(event.message) for event in repeated[start : start + 40])
    for table in ("wrtn_cost_days", "wrtn_holder_cost_days", "wrtn_ledger_balances", "wrtn_team_paths"):
        found = [
            await each.rows(EVERYTHING.format(table), tenant, alone.tenant_id) for each in (once, thrice)
        ]
        assert found[0] == found[1], table
    costs = "SELECT history_id, cost FROM wrtn_usages ORDER BY history_id"
    assert await once.rows(costs, tenant) == await thrice.rows(costs, tenant)


async def test_person_team_enterprise_and_ledger_agree_to_the_last_decimal(database: DatabaseFactory) -> None:
    service, tenant = await billing(await database("billing"), PRICES), NEW()
    people = staff(tenant)
    events = world(people, 300)
    for start in range(0, 300, 70):
        await service.rate(events[start : start + 70])
    whole = sum(exact(event.message) for event in events)
    (by_hand,) = await service.rows("SELECT sum(cost) FROM wrtn_usages", tenant)
    total, accounts = await summed(service, tenant, Asked(By.ACCOUNT))
    _, persons = await summed(service, tenant, Asked(By.MEMBER))
    assert by_hand[0] == whole == total.cost == sum(each.cost for each in accounts)
    assert {each.key for each in persons} == {str(each.member_id) for each in people}
    assert sum(each.cost for each in persons) == whole
    balances = dict(await service.rows("SELECT ledger_account, balance FROM wrtn_ledger_balances", tenant))
    assert balances == {"receivable": whole, "usage_revenue": -whole}
    _, teams = await summed(service, tenant, Asked(By.TEAM))
    top, other = people[2].path[0], people[3].path[0]
    of_teams = {UUID(each.key): each.cost for each in teams}
    untold = sum(
        exact(e.message) for e in events if e.message.attribution.account_id == str(people[4].account_id)
    )
    assert of_teams[top] + of_teams[other] + untold == whole


@pytest.mark.parametrize("by", By)
async def test_every_sum_is_that_of_the_single_usages(database: DatabaseFactory, by: By) -> None:
    service, tenant = await billing(await database("billing"), PRICES), NEW()
    people = staff(tenant)
    events = world(people, 200)
    await service.rate(events)
    spans = [
        (None, None),
        (of_day(6), of_day(9)),
        (of_day(6) + timedelta(seconds=1), of_day(9) - timedelta(seconds=1)),
        (of_day(7) + timedelta(hours=3), of_day(7) + timedelta(hours=9)),
        (of_day(7) + timedelta(hours=20), of_day(8) + timedelta(hours=9)),
        (None, of_day(8) + timedelta(microseconds=1)),
        (of_day(8, 13), None),
    ]
    low, account = people[0].path[0], people[1].account_id
    for start, end in spans:
        for team, only in ((None, None), (people[0].path[1], None), (None, account), (low, account)):
            expected: dict[str, Decimal] = {}
            total = [Decimal(0)]
            for event in events:
                whose, at = event.message.attribution, event.message.use_time.ToDatetime(UTC)
                path = [UUID(each) for each in (whose.team_id, *whose.ancestor_team_ids) if each]
                if (start and at < start) or (end and at >= end) or (team and team not in path):
                    continue
                if only and whose.account_id != str(only):
                    continue
                below = path[: path.index(team) + 1] if team else path
                keys = {
                    By.ACCOUNT: [whose.account_id],
                    By.MEMBER: [whose.member_id],
                    By.MODEL: [event.message.model],
                    By.TEAM: map(str, below),
                }
                for key in keys.get(by, []):
                    expected[key] = expected.get(key, Decimal(0)) + exact(event.message)
                total.append(exact(event.message))
            found, rows = await summed(service, tenant, Asked(by, start, end, account_id=only, team_id=team))
            assert (found.cost, found.usage_count) == (sum(total), len(total) - 1)
            assert {row.key: row.cost for row in rows} == expected
            assert [row.cost for row in rows] == sorted(expected.values(), reverse=True)


async def test_the_migration_to_holders_adds_up_what_was_used_before_it(database: DatabaseFactory) -> None:
    service, tenant = await billing(await database("billing"), PRICES), NEW()
    await service.rate(world(staff(tenant), 60))
    holders = """SELECT account_id, member_id, part_id, day, model, cost, usage_count, unpriced_count,
        input_tokens, cached_input_tokens, output_tokens FROM wrtn_holder_cost_days ORDER BY 1, 2, 3, 4, 5"""
    expected = await service.rows(holders, tenant)
    engine = create_engine(service.database.urls.owner)
    with engine.begin() as owner, Operations.context(MigrationContext.configure(owner)):
        owner.execute(text("DROP FUNCTION wrtn_add_holder_costs() CASCADE"))
        owner.execute(text("DROP TABLE wrtn_holder_cost_days"))
        import_module("services.billing.migrations.0004_holders").upgrade()
    engine.dispose()
    assert expected
    assert await service.rows(holders, tenant) == expected


async def test_two_replicas_keep_one_ledger_without_gaps(database: DatabaseFactory) -> None:
    db = await database("billing")
    replicas = [await billing(db, PRICES) for _ in range(2)]
    tenants = [NEW() for _ in range(4)]
    events = [event for tenant in tenants for event in world(staff(tenant), 60)]

    async def work(replica: Billing, seed: int) -> None:
        mine = list(events)
        Random(seed).shuffle(mine)
        for start in range(0, len(mine), 30):
            await replica.rate(mine[start : start + 30])

    await asyncio.gather(*(work(replica, seed) for seed, replica in enumerate(replicas)))
    for tenant in tenants:
        entries = await replicas[0].rows(
            "SELECT sequence, ledger_account, amount, balance FROM wrtn_ledger_entries ORDER BY sequence",
            tenant,
        )
        assert [entry[0] for entry in entries] == list(range(1, len(entries) + 1))
        running: dict[str, Decimal] = {}
        for _, account, amount, balance in entries:
            running[account] = running.get(account, Decimal(0)) + amount
            assert running[account] == balance
        mine = [event.message for event in events if event.tenant_id == tenant]
        assert running["receivable"] == sum(map(exact, mine)) == -running["usage_revenue"]


async def test_a_change_of_price_in_the_middle_of_a_month_keeps_what_was_paid(
    database: DatabaseFactory,
) -> None:
    change = date(2026, 11, 15)
    prices = source(
        "v1",
        m=[
            ConditionalPrice(prices=per_million("1")),
            ConditionalPrice(StartDateConstraint(change), prices=per_million("9")),
        ],
    )
    service, person = await billing(await database("billing"), prices), Person(NEW())
    last = datetime(2026, 11, 14, 23, 59, 59, 999999, UTC)
    used = [
        usage(person, tokens(1_000_000, 0, 0), model="test/m", at=at) for at in (of_day(2), last, of_day(15))
    ]
    await service.rate(map(recorded, used))
    await import_prices(service.database.app, source("v2", m=per_million("100")))
    await service.rate([recorded(message) for message in used])  # replayed after the change
    await service.rate([recorded(usage(person, tokens(1_000_000, 0, 0), model="test/m", at=of_day(3)))])
    rows = await service.rows(
        """SELECT use_time, cost, input_per_million, source FROM wrtn_usages JOIN wrtn_prices ON price_id = id
        ORDER BY 1""",
        person.tenant_id,
    )
    assert [row[1:] for row in rows] == [(1, 1, "v1"), (1, 1, "v1"), (1, 1, "v1"), (9, 9, "v1")]


async def test_a_model_without_a_price_costs_nothing_and_is_counted_as_such(
    database: DatabaseFactory,
) -> None:
    service, person = await billing(await database("billing"), PRICES), Person(NEW())
    await service.rate(
        [recorded(usage(person, model="test/unknown")), recorded(usage(person, model="test/cheap"))]
    )
    total, rows = await summed(service, person.tenant_id, Asked(By.MODEL))
    assert (total.usage_count, total.unpriced_count) == (2, 1)
    assert {row.key: row.unpriced_count for row in rows} == {"test/unknown": 1, "test/cheap": 0}


async def test_a_new_price_is_known_to_a_replica_that_runs_already(database: DatabaseFactory) -> None:
    service, person = await billing(await database("billing"), PRICES), Person(NEW())
    await service.rate([recorded(usage(person, model="test/cheap"))])
    await import_prices(service.database.app, source("v2", late=per_million("1")))
    await service.rate([recorded(usage(person, tokens(1_000_000, 0, 0), model="test/late"))])
    assert (1,) in await service.rows("SELECT cost FROM wrtn_usages", person.tenant_id)


async def test_nothing_is_rated_before_there_are_prices(database: DatabaseFactory) -> None:
    service, person = await billing(await database("billing"), source("empty")), Person(NEW())
    with pytest.raises(PricesMissing):
        await service.rate([recorded(usage(person))])


async def test_a_usage_of_another_tenant_than_its_event_is_refused(database: DatabaseFactory) -> None:
    service = await billing(await database("billing"), PRICES)
    forged = recorded(usage(Person(NEW())))
    with pytest.raises(UsageMalformed):
        await service.rate([Event(NEW(), forged.time, NEW(), NEW(), 1, forged.message)])


ENTRY = """INSERT INTO wrtn_ledger_entries VALUES
    (%(tenant)s, uuidv7(), %(posting)s, %(number)s, 'receivable', 5, 5, 'USD', now()),
    (%(tenant)s, uuidv7(), %(posting)s, %(number)s + 1, 'usage_revenue', %(amount)s, -5, 'USD', now())"""


async def test_the_database_refuses_a_posting_that_does_not_sum_to_zero(database: DatabaseFactory) -> None:
    db, tenant = await database("billing"), NEW()

    async def post(number: int, credit: str) -> None:
        values = {"tenant": tenant, "posting": NEW(), "number": number, "amount": Decimal(credit)}
        async with db.app.transaction(Scope.of(tenant)) as tx:
            await (await tx.driver()).execute(ENTRY, values)

    await post(1, "-5")
    with pytest.raises(psycopg.errors.CheckViolation, match="sum to zero"):
        await post(3, "-4.999999999999")


@pytest.mark.parametrize("table", ["wrtn_ledger_entries", "wrtn_usages", "wrtn_team_paths"])
@pytest.mark.parametrize("change", ["UPDATE {} SET tenant_id = tenant_id", "DELETE FROM {}", "TRUNCATE {}"])
async def test_not_even_the_owner_changes_what_is_insert_only(
    database: DatabaseFactory, table: str, change: str
) -> None:
    service, person = await billing(await database("billing"), PRICES), Person(NEW(), (NEW(),))
    await service.rate([recorded(usage(person, model="test/dear"))])
    with connect(service.database.urls.owner) as owner, pytest.raises(psycopg.errors.RestrictViolation):
        owner.execute(change.format(table))
