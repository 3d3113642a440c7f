"""Many spenders at once over two replicas of billing: guarantee M1."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal

import grpc
import pytest_asyncio

from chassis.database.roles import connect
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory
from chassis.testing.serving import Serve
from services.billing.main import wire
from services.billing.settings import BillingSettings
from tests.billing.office import Office, Replica, credited, found, replica, stands, told
from wrtn.billing.v1.events_pb2 import WalletRefused


@pytest_asyncio.fixture
async def replicas(
    database: DatabaseFactory, serve: Serve, callers: Callers
) -> AsyncIterator[tuple[Office, Replica]]:
    """An office at one replica, and the other one."""
    made = await database("billing")
    running, other = [await serve("billing", BillingSettings, wire, database=made) for _ in range(2)]
    async with replica(running) as first, replica(other) as second:
        yield await found(first, made, callers), second


async def outcomes(replicas: tuple[Office, Replica], **more: str) -> Counter[str]:
    """What became of two hundred spendings of a dollar at once: admitted, or refused for a reason."""
    office, other = replicas

    async def one(number: int) -> str:
        stub = (office.replica, other)[number % 2].spends
        try:
            await stub.AuthorizeSpend(office.asking("1", **more), metadata=office.credential.metadata)
        except grpc.aio.AioRpcError as error:
            return told(error)[0]
        return "ADMITTED"

    return Counter(await asyncio.gather(*map(one, range(200))))


async def test_two_hundred_spenders_on_two_replicas_fill_a_budget_for_fifty(
    replicas: tuple[Office, Replica],
) -> None:
    """Three rounds of it here."""
    office, _ = replicas
    for each in range(3):
        model = f"test/race-{each}"
        budget = await office.budget("50", resource=f"model:{model}")
        assert await outcomes(replicas, model=model) == {"ADMITTED": 50, "BUDGET_EXCEEDED": 150}
        status = (await office.read(budget)).status
        assert (status.reserved, status.left) == ("50", "0")


async def test_two_hundred_spenders_on_two_replicas_spend_fifty_credits(
    replicas: tuple[Office, Replica],
) -> None:
    """With a wallet as the only limit: three rounds of it."""
    office, _ = replicas
    for each in range(1, 4):
        await credited(office, "50")
        assert await outcomes(replicas) == {"ADMITTED": 50, "WALLET_EXCEEDED": 150}
        assert await stands(office) == (Decimal(50 * each), Decimal(50 * each))
    # It is told once for each time that credits came, by whichever replica.
    query = "SELECT payload FROM wrtn_outbox WHERE subject LIKE '%%wallet.refused' AND tenant_id = %s"
    with connect(office.database.urls.worker) as worker:
        rows = worker.execute(query, (office.id,)).fetchall()
    assert [WalletRefused.FromString(row[0]) for row in rows] == [WalletRefused(left="0", currency="USD")] * 3
