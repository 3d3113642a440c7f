"""The ledger: postings are made once, balance, follow one another, and stay as they are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio

from chassis.database import Scope
from chassis.database.roles import connect
from chassis.testing.databases import DatabaseFactory, ServiceDatabase
from services.billing.errors import CurrencyMismatch, PostingConflict
from services.billing.ledger import chart
from services.billing.ledger.chart import PostingKind
from services.billing.ledger.ledger import Line, post
from tests.usage import NEW

TENANT = NEW()


@pytest_asyncio.fixture
async def ledger(database: DatabaseFactory) -> ServiceDatabase:
    """A database without any entry."""
    return await database("billing")


def owed(amount: str) -> list[Line]:
    """The lines of a fee."""
    return [Line(chart.RECEIVABLE, Decimal(amount)), Line(chart.FEE_REVENUE, -Decimal(amount))]


async def posted(
    ledger: ServiceDatabase, lines: Sequence[Line], reference: str, currency: str = "USD"
) -> UUID | None:
    """Posts in a transaction of its own."""
    async with ledger.app.transaction(Scope.of(TENANT)) as tx:
        return await post(tx, TENANT, currency, PostingKind.INVOICE, lines, reference)


async def rows(ledger: ServiceDatabase, query: str) -> list[tuple[Any, ...]]:
    """Reads with the rights of the app."""
    async with ledger.app.snapshot(Scope.of(TENANT)) as snapshot:
        return await (await (await snapshot.driver()).execute(query)).fetchall()


_ENTRIES = "SELECT sequence, ledger_account, amount, balance FROM wrtn_ledger_entries ORDER BY sequence"


async def test_entries_follow_one_another_with_running_balances(ledger: ServiceDatabase) -> None:
    await posted(ledger, owed("10.5"), "invoice:1")
    tax = [*owed("2"), Line(chart.RECEIVABLE, Decimal("0.4")), Line(chart.TAX, Decimal("-0.4"))]
    await posted(ledger, tax, "invoice:2")
    assert await rows(ledger, _ENTRIES) == [
        (1, chart.RECEIVABLE, Decimal("10.5"), Decimal("10.5")),
        (2, chart.FEE_REVENUE, Decimal("-10.5"), Decimal("-10.5")),
        (3, chart.RECEIVABLE, Decimal("2.4"), Decimal("12.9")),
        (4, chart.FEE_REVENUE, Decimal(-2), Decimal("-12.5")),
        (5, chart.TAX, Decimal("-0.4"), Decimal("-0.4")),
    ]


async def test_a_reference_is_posted_once_and_another_posting_under_it_is_a_conflict(
    ledger: ServiceDatabase,
) -> None:
    made = await asyncio.gather(*(posted(ledger, owed("3"), "invoice:1") for _ in range(8)))
    assert len(set(made)) == 1
    with pytest.raises(PostingConflict):
        await posted(ledger, owed("4"), "invoice:1")
    assert [row[0] for row in await rows(ledger, _ENTRIES)] == [1, 2]
    balances = await rows(ledger, "SELECT balance FROM wrtn_ledger_balances ORDER BY balance")
    assert balances == [(Decimal(-3),), (Decimal(3),)]


async def test_another_currency_and_what_does_not_sum_to_zero_change_nothing(ledger: ServiceDatabase) -> None:
    await posted(ledger, owed("3"), "invoice:1")
    with pytest.raises(CurrencyMismatch):
        await posted(ledger, owed("3"), "invoice:2", "EUR")
    with pytest.raises(ValueError, match="sum to zero"):
        await posted(ledger, [Line(chart.RECEIVABLE, Decimal(1))], "invoice:3")
    assert await posted(ledger, [*owed("3"), *owed("-3")], "invoice:4") is None
    assert [row[0] for row in await rows(ledger, _ENTRIES)] == [1, 2]
    assert await rows(ledger, "SELECT reference FROM wrtn_postings") == [("invoice:1",)]


async def test_times_never_go_back_along_the_ledger(ledger: ServiceDatabase) -> None:
    async with ledger.app.transaction(Scope.of(TENANT)) as early:
        await posted(ledger, owed("1"), "invoice:1")
        early.now -= timedelta(minutes=1)
        await post(early, TENANT, "USD", PostingKind.INVOICE, owed("2"), "invoice:2")
    times = await rows(ledger, "SELECT create_time FROM wrtn_ledger_entries ORDER BY sequence")
    assert times == sorted(times)


_FORGED = """
INSERT INTO wrtn_ledger_entries SELECT tenant_id, uuidv7(), uuidv7(), sequence + 10, ledger_account, amount,
    balance, currency, create_time FROM wrtn_ledger_entries WHERE amount > 0
"""


_REFUSED = (
    "UPDATE wrtn_ledger_entries SET amount = 0",
    "DELETE FROM wrtn_ledger_entries",
    "UPDATE wrtn_postings SET kind = 'bonus'",
    "DELETE FROM wrtn_postings",
    "TRUNCATE wrtn_postings, wrtn_ledger_entries",
    _FORGED,
)


async def test_the_database_refuses_to_alter_or_unbalance_the_ledger(ledger: ServiceDatabase) -> None:
    await posted(ledger, owed("3"), "invoice:1")
    before = await rows(ledger, _ENTRIES)
    for url in (ledger.urls.app, ledger.urls.owner):
        with connect(url) as connection:
            connection.execute("SELECT set_config('wrtn.tenants', %s, false)", (f"{{{TENANT}}}",))
            for statement in _REFUSED:
                with pytest.raises(psycopg.Error) as caught:
                    connection.execute(statement)
                assert caught.value.sqlstate in {"23001", "23514", "42501"}, statement
    assert await rows(ledger, _ENTRIES) == before
