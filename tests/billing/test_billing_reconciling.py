"""Reconciliation: person, team, enterprise, invoice and ledger are one sum; it is told when they are not."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from prometheus_client import REGISTRY
from psycopg import sql

from chassis.database.roles import connect
from chassis.embedded.postgres import Postgres
from chassis.testing.databases import DatabaseFactory
from services.billing.ledger.reconciling import Reconciliation
from tests.billing.make import Billing, billing, of_day, per_million, source
from tests.usage import NEW, Person, recorded, tokens, usage
from wrtn.billing.v1.events_pb2 import BooksDisagreed

PRICES = source("v1", m=per_million("0.1", "0.07"))
HAIR = Decimal("0.000000001")
CHANGES = {
    "usages": "UPDATE wrtn_usages SET charge = charge + {hair} WHERE tenant_id = {tenant}",
    "persons": "UPDATE wrtn_holder_cost_days SET charge = charge + {hair} WHERE tenant_id = {tenant}",
    "teams": """UPDATE wrtn_cost_days SET charge = charge + {hair}
        WHERE tenant_id = {tenant} AND part_id <> tenant_id""",
    "enterprise": "UPDATE wrtn_cost_days SET charge = charge + {hair} WHERE part_id = {tenant}",
    "ledger": "DELETE FROM wrtn_ledger_entries WHERE tenant_id = {tenant} AND sequence = 2",
    "balances": "UPDATE wrtn_ledger_balances SET balance = balance - {hair} WHERE tenant_id = {tenant}",
    "invoices": """INSERT INTO wrtn_invoices VALUES ({tenant}, uuidv7(), 2, 1, 'USD', '2026-11-01',
        '2026-12-01', 0, 0, 0, 0, 0, 0, 0, NULL, now(), now(), NULL, NULL, 1, now(), now())""",
}


def disagreed() -> float | None:
    """What the metric says."""
    return REGISTRY.get_sample_value("wrtn_billing_books_disagreed")


async def told(service: Billing) -> dict[UUID, dict[str, str]]:
    """What was told of whom."""
    query = "SELECT tenant_id, payload FROM wrtn_outbox WHERE subject LIKE '%books.disagreed'"
    with connect(service.database.urls.owner) as owner:
        rows = owner.execute(query).fetchall()
    return {row[0]: dict(BooksDisagreed.FromString(bytes(row[1])).sums) for row in rows}


async def test_whichever_of_the_books_is_broken_is_told_by_event_log_and_metric(
    database: DatabaseFactory, postgres: Postgres
) -> None:
    service = await billing(await database("billing"), PRICES)
    broken, sound = {name: NEW() for name in CHANGES}, NEW()
    for tenant in (*broken.values(), sound):
        people = [Person(tenant, (NEW(), NEW())), Person(tenant)]
        messages = [
            usage(people[n % 2], tokens(999, 0, 7), model="test/m", at=of_day(n + 1)) for n in range(6)
        ]
        await service.rate(map(recorded, messages))
    job = Reconciliation(service.database.app, service.database.worker)
    await job.run()
    assert (await told(service), disagreed()) == ({}, 0)
    with connect(postgres.url(service.database.name)) as root:
        for table in ("wrtn_usages", "wrtn_ledger_entries", "wrtn_invoices"):
            root.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(sql.Identifier(table)))
        for name, tenant in broken.items():
            root.execute(sql.SQL(CHANGES[name]).format(hair=sql.Literal(HAIR), tenant=sql.Literal(tenant)))
    await job.run()
    found = await told(service)
    assert set(found) == set(broken.values())
    assert disagreed() == len(broken)
    for name in ("usages", "persons", "teams", "enterprise", "balances", "invoices"):
        off = [
            each for each, amount in found[broken[name]].items() if amount != found[broken[name]]["ledger"]
        ]
        assert off == [name]


async def test_a_model_without_a_price_is_told_once(database: DatabaseFactory) -> None:
    service, person = await billing(await database("billing"), PRICES), Person(NEW())
    for model in ("test/new", "test/new", "test/newer"):
        await service.rate([recorded(usage(person, model=model)), recorded(usage(person, model=model))])
    with connect(service.database.urls.owner) as owner:
        rows = owner.execute(
            "SELECT payload FROM wrtn_outbox WHERE subject LIKE '%model.unpriced'"
        ).fetchall()
    assert len(rows) == 2


async def test_usages_of_a_month_that_is_over_are_summed_again_when_it_changes_or_in_turn(
    database: DatabaseFactory, postgres: Postgres
) -> None:
    service, person = await billing(await database("billing"), PRICES), Person(NEW())
    used = [
        usage(person, tokens(999, 0, 7), model="test/m", at=datetime(2026, n, 9, tzinfo=UTC))
        for n in range(5, 10)
    ]
    await service.rate(map(recorded, used))
    job = Reconciliation(service.database.app, service.database.worker)
    await job.run()
    assert await summed(service, person.tenant_id) == ["2026-05", "2026-06", "2026-07", "2026-08"]
    # The one that was longest not summed, month after month; the last one goes on, and is always summed.
    for month in ("2026-05", "2026-06"):
        await job.run()
        assert await summed(service, person.tenant_id) == [month]
    # A late usage has its month be summed, besides the one in turn.
    late = usage(person, tokens(5, 0, 5), model="test/m", at=datetime(2026, 5, 30, tzinfo=UTC))
    await service.rate([recorded(late)])
    await job.run()
    assert await summed(service, person.tenant_id) == ["2026-05", "2026-07"]
    # What is broken behind our back, where nobody looks any more, is found when it is its turn.
    with connect(postgres.url(service.database.name)) as root:
        root.execute("ALTER TABLE wrtn_usages DISABLE TRIGGER USER")
        root.execute("UPDATE wrtn_usages SET charge = charge + 1 WHERE use_time < '2026-05-10'")
    await job.run()
    assert await told(service) == {}
    for _ in range(3):
        await job.run()
    assert set(await told(service)) == {person.tenant_id}
    assert disagreed() == 1


async def summed(service: Billing, tenant: UUID) -> list[str]:
    """The months that were summed last, and had been before."""
    query = """SELECT to_char(start_time AT TIME ZONE 'UTC', 'YYYY-MM') FROM wrtn_checked_periods
        WHERE check_time = (SELECT max(check_time) FROM wrtn_checked_periods) ORDER BY 1"""
    return [row[0] for row in await service.rows(query, tenant)]
