"""A prepaid wallet as a level of every admission: what is held of it, refused, and given back."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from chassis.database import Scope
from services.billing.models import ReservationState
from services.billing.spending import reservations
from services.billing.store.reservations import Reservations
from services.billing.wallets import wallets
from tests.billing.office import Office, credited, refused, stands
from wrtn.billing.v1.spending_pb2 import (
    ExtendReservationRequest,
    ReleaseReservationRequest,
    Reservation,
    SpendEstimate,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


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
