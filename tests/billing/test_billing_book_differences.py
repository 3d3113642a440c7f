"""That books disagree is told once for each difference, not at every comparison."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from chassis.database.roles import connect
from chassis.embedded.postgres import Postgres
from chassis.testing.databases import DatabaseFactory
from services.billing.ledger.reconciling import Reconciliation
from tests.billing.make import billing, of_day, per_million, source
from tests.usage import NEW, Person, recorded, tokens, usage
from wrtn.billing.v1.events_pb2 import BooksDisagreed

PRICES = source("v1", m=per_million("0.1", "0.07"))


async def test_a_difference_is_told_once_again_when_it_changes_and_a_day_later_until_it_is_mended(
    database: DatabaseFactory, postgres: Postgres
) -> None:
    service, person = await billing(await database("billing"), PRICES), Person(NEW())
    job = Reconciliation(service.database.app, service.database.worker)

    async def used() -> None:
        await service.rate([recorded(usage(person, tokens(9, 0, 7), model="test/m", at=of_day(1)))])

    def changed(statement: str, *values: object) -> None:
        with connect(postgres.url(service.database.name)) as root:
            root.execute(statement, values)

    def off(by: Decimal) -> None:
        changed("UPDATE wrtn_cost_days SET charge = charge + %s WHERE part_id = tenant_id", by)

    async def told() -> Sequence[Decimal]:
        """Compares, and answers the differences that were told so far."""
        await job.run()
        query = (
            "SELECT payload FROM wrtn_outbox WHERE subject LIKE '%books.disagreed' ORDER BY create_time, id"
        )
        with connect(service.database.urls.owner) as owner:
            found = [BooksDisagreed.FromString(row[0]).sums for row in owner.execute(query).fetchall()]
        return [Decimal(each["enterprise"]) - Decimal(each["ledger"]) for each in found]

    one, two = Decimal(1), Decimal(2)
    await used()
    assert await told() == []
    off(one)
    assert await told() == [one]
    # What is used meanwhile moves all books alike.
    await used()
    assert await told() == [one]
    off(one)
    assert await told() == await told() == [one, two]
    changed("UPDATE wrtn_book_differences SET tell_time = tell_time - interval '24 hours'")
    assert await told() == await told() == [one, two, two]
    off(-two)
    assert await told() == [one, two, two]
    assert await service.rows("SELECT 1 FROM wrtn_book_differences", person.tenant_id) == []
    off(two)
    assert await told() == [one, two, two, two]
