"""Batches of spendings: what one costs, and two that meet at the same reservation."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from chassis.clock import Clock
from chassis.database import Database, Scope, arrays
from chassis.database.roles import connect
from chassis.testing.lines import listening
from chassis.testing.waiting import until
from services.billing.spending.admission import Ask
from services.billing.spending.authorizing import Twin, authorize
from services.billing.spending.deciding import Wanted
from services.billing.store.spenders import COVERING
from services.billing.store.spending import Kept
from tests.billing.office import MODEL, Office, credited
from tests.usage import NEW

_MANY = """
INSERT INTO wrtn_budgets (tenant_id, id, team_id, employee_id, resource, period, amount, thresholds, soft,
    requests_per_minute, tokens_per_minute, currency, version, create_time, update_time)
SELECT %s, gen_random_uuid(), {who}, '', 3, 1, '{{}}', false, 0, 0, 'USD', 1, now(), now()
FROM generate_series(1, 1000)
"""

pytestmark = pytest.mark.asyncio(loop_scope="module")


def wanted(office: Office, reservation_id: UUID | None = None) -> Wanted:
    """A dollar for the employee and their team."""
    return Wanted(
        reservation_id or NEW(),
        b"one request",
        office.person.account_id,
        office.line[0],
        MODEL,
        Ask(Decimal(1), 0),
        "USD",
        timedelta(minutes=10),
    )


@pytest.mark.parametrize("count", [1, 40])
async def test_a_batch_takes_three_round_trips_however_many_spendings_it_has(
    office: Office, count: int
) -> None:
    await office.budget("1000")
    await office.budget("1000", team_id=office.line[1])
    await credited(office, "1000")
    async with listening(office.database.urls.app) as line:
        database = Database(line.url, clock=Clock())
        try:
            await authorize(database, office.id, [wanted(office)])
            before = line.round_trips
            found = await authorize(database, office.id, [wanted(office) for _ in range(count)])
            assert all(isinstance(each, Kept) for each in found)
            assert line.round_trips - before == 3
        finally:
            await database.close()


async def test_of_two_replicas_that_make_the_same_reservation_one_changes_nothing(office: Office) -> None:
    budget, database = await office.budget("10"), office.database.app
    twin = wanted(office)
    waiting = """SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
        AND wait_event_type = 'Lock' AND query LIKE '%%wrtn_budget_periods%%'"""

    async def both_wait() -> bool:
        return len(await office.rows(waiting)) == 2

    async with database.transaction(Scope.of(office.id)) as tx:
        # Both have looked for the reservation by the time they wait for the budget.
        await (await tx.driver()).execute("SELECT 1 FROM wrtn_budget_periods FOR UPDATE")
        replicas = [
            asyncio.create_task(authorize(database, office.id, [wanted(office), twin])) for _ in range(2)
        ]
        await until(both_wait)
    outcomes = await asyncio.gather(*replicas, return_exceptions=True)
    assert sum(isinstance(each, Twin) for each in outcomes) == 1
    assert (await office.read(budget)).status.reserved == "2"
    assert await office.rows("SELECT 1 FROM wrtn_reservations WHERE id = %s", twin.reservation_id) == [(1,)]


async def test_an_admission_reads_no_budgets_of_others_however_many_there_are(office: Office) -> None:
    app, person = office.database.app, office.person
    async with app.transaction(Scope.of(office.id)) as tx:
        for who in ("gen_random_uuid(), NULL", "NULL, gen_random_uuid()"):
            await (await tx.driver()).execute(_MANY.format(who=who).encode(), (office.id,))
    with connect(office.database.urls.owner) as owner:
        owner.execute("ANALYZE wrtn_budgets")
    async with app.snapshot(Scope.of(office.id)) as snapshot:
        values = {
            **arrays.by_column(("account_id", "team_id"), [(person.account_id, office.line[0])]),
            "tenant": office.id,
            "resources": arrays.literal(["", f"model:{MODEL}"]),
            "now": snapshot.now,
        }
        explained = await (await snapshot.driver()).execute(f"EXPLAIN {COVERING}".encode(), values)
        plan = [row[0] for row in await explained.fetchall()]
    filters = [line for line in plan if "Filter:" in line]
    assert not [line for line in filters if "team_id" in line or "employee_id" in line]
