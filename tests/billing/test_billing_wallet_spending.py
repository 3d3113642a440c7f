"""A prepaid wallet as a level of every admission: what is held of it, refused, and given back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import grpc
import pytest_asyncio

from chassis.database import Scope
from chassis.database.roles import connect
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory
from chassis.testing.serving import Serve
from services.billing.main import wire
from services.billing.models import ReservationState
from services.billing.settings import BillingSettings
from services.billing.spending import reservations
from services.billing.store.reservations import Reservations
from services.billing.wallets import wallets
from tests.billing.office import Office, found, refused, replica, told
from tests.usage import NEW
from wrtn.billing.v1.events_pb2 import WalletRefused
from wrtn.billing.v1.spending_pb2 import (
    ExtendReservationRequest,
    ReleaseReservationRequest,
    Reservation,
    SpendEstimate,
)


@pytest_asyncio.fixture
async def office(database: DatabaseFactory, serve: Serve, callers: Callers) -> AsyncIterator[Office]:
    """An enterprise with a team."""
    made = await database("billing")
    running = await serve("billing", BillingSettings, wire, database=made)
    async with replica(running) as stubs:
        yield await found(stubs, made, callers, deep=1)


async def credited(office: Office, amount: str, *, prepaid: bool = True) -> None:
    """Gives credits."""
    async with office.database.app.transaction(Scope.of(office.id)) as tx:
        await wallets.bonus(tx, office.id, Decimal(amount), "USD", reference=f"bonus:{NEW()}")
        await wallets.set_prepaid(tx, office.id, prepaid=prepaid)


async def stands(office: Office) -> tuple[Decimal, Decimal]:
    """Answers what is in the wallet, and what is held of it."""
    query = "SELECT balance, reserved FROM wrtn_wallets JOIN wrtn_wallet_holds USING (tenant_id)"
    balance, reserved = (await office.rows(query))[0]
    return balance, reserved


async def test_a_prepaid_wallet_refuses_what_it_does_not_cover_and_names_what_is_left(office: Office) -> None:
    budget = await office.budget("100")
    assert (await office.spend("3")).state == Reservation.STATE_HELD
    await credited(office, "10")
    await office.spend("7.5")
    reason, metadata = await refused(office.spend("2.51"))
    assert (reason, metadata) == (
        "WALLET_EXCEEDED",
        {"level": "wallet", "level_id": str(office.id), "left": "2.5"},
    )
    assert (await office.read(budget)).status.reserved == "10.5"
    assert await stands(office) == (Decimal(10), Decimal("7.5"))
    await office.spend("2.5")
    assert (await refused(office.spend("0")))[0] == "WALLET_EXCEEDED"


async def test_what_is_held_comes_back_however_a_reservation_ends(office: Office) -> None:
    await credited(office, "10")
    spends, metadata = office.replica.spends, office.credential.metadata
    settled, released, expired = [await office.spend("2") for _ in range(3)]
    more = ExtendReservationRequest(
        tenant_id=str(office.id), reservation_id=settled.id, estimate=SpendEstimate(amount="4")
    )
    assert (await spends.ExtendReservation(more, metadata=metadata)).amount == "6"
    assert (await refused(spends.ExtendReservation(more, metadata=metadata)))[0] == "WALLET_EXCEEDED"
    assert await stands(office) == (Decimal(10), Decimal(10))
    # More is used than was held: it is taken whole.
    await office.use(3_500_000, settled)
    assert await stands(office) == (Decimal(3), Decimal(4))
    request = ReleaseReservationRequest(tenant_id=str(office.id), reservation_id=released.id)
    for _ in range(2):
        await spends.ReleaseReservation(request, metadata=metadata)
    assert await stands(office) == (Decimal(3), Decimal(2))
    async with office.database.app.transaction(Scope.of(office.id)) as tx:
        rows = await Reservations(tx).lock_expired(office.id, tx.now + timedelta(hours=1), 9)
        assert [str(row.id) for row in rows] == [expired.id]
        await reservations.end(tx, rows, ReservationState.EXPIRED)
    assert await stands(office) == (Decimal(3), Decimal(0))
    await office.use(2_500_000, expired)
    assert await stands(office) == (Decimal(0), Decimal(0))
    owed = "SELECT balance FROM wrtn_ledger_balances WHERE ledger_account = 'receivable'"
    assert await office.rows(owed) == [(Decimal(2),)]


async def test_a_wallet_that_is_not_prepaid_refuses_nothing_and_expired_credits_cover_nothing(
    office: Office,
) -> None:
    await credited(office, "1", prepaid=False)
    held = await office.spend("5")
    assert await stands(office) == (Decimal(1), Decimal(5))
    await office.use(2_500_000, held)
    assert await stands(office) == (Decimal(0), Decimal(0))
    async with office.database.app.transaction(Scope.of(office.id)) as tx:
        await wallets.set_prepaid(tx, office.id, prepaid=True)
        until, tx.now = tx.now, tx.now - timedelta(hours=1)
        await wallets.grant(
            tx, office.id, Decimal(9), "USD", priority=1, expire_time=until, reference="grant:short"
        )
    reason, metadata = await refused(office.spend("1"))
    assert (reason, metadata["left"]) == ("WALLET_EXCEEDED", "0")


async def test_two_hundred_spenders_on_two_replicas_spend_fifty_credits(office: Office, serve: Serve) -> None:
    """Guarantee M1 with a wallet as the only limit: three rounds of it."""
    second = await serve("billing", BillingSettings, wire, database=office.database)
    async with replica(second) as other:

        async def one(number: int) -> str:
            stub = (office.replica, other)[number % 2].spends
            try:
                await stub.AuthorizeSpend(office.asking("1"), metadata=office.credential.metadata)
            except grpc.aio.AioRpcError as error:
                return told(error)[0]
            return "ADMITTED"

        for each in range(1, 4):
            await credited(office, "50")
            outcomes = await asyncio.gather(*map(one, range(200)))
            assert Counter(outcomes) == {"ADMITTED": 50, "WALLET_EXCEEDED": 150}
            assert await stands(office) == (Decimal(50 * each), Decimal(50 * each))
    # It is told once for each time that credits came, by whichever replica.
    query = "SELECT payload FROM wrtn_outbox WHERE subject LIKE '%%wallet.refused' AND tenant_id = %s"
    with connect(office.database.urls.worker) as worker:
        rows = worker.execute(query, (office.id,)).fetchall()
    assert [WalletRefused.FromString(row[0]) for row in rows] == [WalletRefused(left="0", currency="USD")] * 3
