"""Refunds and the credits that a payment bought: whichever goes back first, the other goes with it, once."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from chassis.database import Scope
from services.billing.ledger.chart import RECEIVABLE, USAGE_REVENUE, PostingKind
from services.billing.ledger.ledger import Line, post
from services.billing.wallets import wallets
from tests.billing.office import refused
from tests.billing.paying import DECLINED, Payer, PayWorld
from tests.billing.test_billing_provider_events import send
from tests.usage import NEW
from wrtn.billing.v1 import payments_pb2, wallets_pb2
from wrtn.billing.v1.wallets_pb2_grpc import WalletServiceStub

pytestmark = pytest.mark.asyncio(loop_scope="module")
Refund = payments_pb2.Refund


async def bought(world: PayWorld, amount: str = "10") -> tuple[Payer, payments_pb2.Payment]:
    """A payer who has bought credits by card."""
    payer = await world.payer()
    await payer.card()
    return payer, (await payer.pay(None, amount=amount, currency="USD")).payment


async def lots(payer: Payer) -> list[wallets_pb2.WalletLot]:
    """The credits that are left."""
    async with payer.world.running.channel() as channel:
        request = wallets_pb2.ListWalletLotsRequest(wallet_id=str(payer.id))
        stub = WalletServiceStub(channel)
        return list((await stub.ListWalletLots(request, metadata=payer.owner.metadata)).lots)


async def refund_lot(payer: Payer, lot: wallets_pb2.WalletLot, amount: str) -> wallets_pb2.WalletLot:
    """Has an administrator take bought credits back."""
    request = wallets_pb2.RefundWalletLotRequest(
        wallet_id=str(payer.id), lot_id=lot.id, amount=amount, currency="USD", reason="moved away"
    )
    async with payer.world.running.channel() as channel:
        stub = WalletServiceStub(channel)
        return await stub.RefundWalletLot(request, metadata=payer.world.admin.metadata)


async def spent(payer: Payer, amount: Decimal) -> None:
    """Uses something, which is paid with credits."""
    async with payer.world.running.runtime.db.transaction(Scope.of(payer.id)) as tx:
        lines = [Line(RECEIVABLE, amount), Line(USAGE_REVENUE, -amount)]
        await post(tx, payer.id, "USD", PostingKind.CORRECTION, lines, f"used:{NEW()}")
        await wallets.burn(tx, payer.id, amount, "USD", reference=f"burnt:{NEW()}")


async def tell(world: PayWorld, payment: payments_pb2.Payment, kind: str, **more: object) -> None:
    """An event of Stripe, told three times."""
    ours = {"tenant_id": payment.tenant_id, "payment_id": payment.id}
    about = {"object": kind, "id": "ch_1", "metadata": ours, **more}
    for _ in range(3):
        await send(world, json.dumps({"id": f"evt_{NEW()}", "data": {"object": about}}).encode())


async def intent_of(payer: Payer, payment: payments_pb2.Payment) -> str:
    query = "SELECT provider_payment_id FROM wrtn_payments WHERE id = %s"
    return str((await payer.rows(query, UUID(payment.id)))[0][0])


async def test_a_refund_takes_the_credits_that_the_payment_bought_and_a_lot_names_its_payment(
    world: PayWorld,
) -> None:
    payer, paid = await bought(world)
    (lot,) = await lots(payer)
    assert lot.payment_id == paid.id
    # What was refunded as a lot is given back by its payment, and takes nothing again.
    assert (await refund_lot(payer, lot, "4")).payment_id == paid.id
    first = await payer.refund(paid, "4")
    assert (first.state, first.credits) == (Refund.STATE_SUCCEEDED, "0")
    second = await payer.refund(paid, "1")
    assert (second.credits, second.debt) == ("1", "0")
    (lot,) = await lots(payer)
    assert (lot.remaining, lot.refunded) == ("5", "5")
    assert await payer.balances() == {"cash:stripe": "5", "wallet": "-5"}
    # Of two at once, each takes what the other leaves; what is spent is refused, and changes nothing.
    await spent(payer, Decimal(3))
    tries = await asyncio.gather(*(payer.refund(paid, "2") for _ in range(2)), return_exceptions=True)
    assert sum(isinstance(each, BaseException) for each in tries) == 1
    before = await payer.balances()
    assert (await refused(payer.refund(paid, "2")))[0] == "REFUND_ABOVE_LEFT"
    assert (
        await payer.balances()
        == before
        == {
            "cash:stripe": "3",
            "usage_revenue": "-3",
        }
    )
    assert (await payer.read(paid)).refunded_amount == "7"


async def test_of_a_payment_above_its_invoice_the_credits_go_first(world: PayWorld) -> None:
    payer = await world.payer()
    paid = await payer.transfer("15", await payer.invoice("10"))
    refund = await payer.refund(paid, "8")
    assert (refund.credits, await lots(payer)) == ("5", [])
    assert await payer.balances() == {"cash:bank_transfer": "7", "receivable": "-10", "refunds": "3"}


async def test_a_pending_refund_follows_the_events_of_stripe_and_one_that_fails_returns_its_credits(
    world: PayWorld,
) -> None:
    payer, paid = await bought(world)
    await world.stripe.refunds("pending")
    good, bad = await payer.refund(paid, "3"), await payer.refund(paid, "4")
    assert good.state == bad.state == Refund.STATE_PENDING
    assert [lot.remaining for lot in await lots(payer)] == ["3"]
    ours = {"tenant_id": paid.tenant_id}
    query = "SELECT id::text, provider_refund_id FROM wrtn_refunds"
    known = dict(await payer.rows(query))
    for refund, status in ((good, "succeeded"), (bad, "failed")):
        # Before, the event is about something that has not changed.
        await tell(world, paid, "refund", id=known[refund.id], metadata=ours | {"refund_id": refund.id})
        assert await payer.rows("SELECT state FROM wrtn_refunds WHERE id = %s", UUID(refund.id)) == [(1,)]
        await world.stripe.refunds(status)
        await tell(world, paid, "refund", id=known[refund.id], metadata=ours | {"refund_id": refund.id})
        await world.stripe.refunds("pending")
    await world.stripe.refunds("succeeded")
    states = dict(await payer.rows("SELECT id::text, state FROM wrtn_refunds"))
    assert states == {good.id: Refund.STATE_SUCCEEDED, bad.id: Refund.STATE_FAILED}
    assert [(lot.remaining, lot.refunded) for lot in await lots(payer)] == [("7", "3")]
    assert await payer.balances() == {"cash:stripe": "7", "wallet": "-7"}
    # Without any event the job reads how it stands, long before its key of idempotency is forgotten.
    await world.stripe.refunds("pending")
    last = await payer.refund(paid, "7")
    await world.stripe.refunds("succeeded")
    await world.collect(timedelta(minutes=5))
    found = await payer.rows("SELECT state FROM wrtn_refunds WHERE id = %s", UUID(last.id))
    assert found == [(Refund.STATE_SUCCEEDED,)]


async def test_what_is_refunded_on_stripes_pages_takes_the_credits_once_and_what_is_spent_is_owed(
    world: PayWorld,
) -> None:
    payer, paid = await bought(world)
    await spent(payer, Decimal(7))
    own = await payer.refund(paid, "1")
    await world.stripe.refund(await intent_of(payer, paid), 500)
    await tell(world, paid, "charge")
    rows = await payer.rows("SELECT state, amount, credits, debt FROM wrtn_refunds ORDER BY create_time")
    assert (own.credits, rows[1:]) == ("1", [(Refund.STATE_SUCCEEDED, 5, 2, 3)])
    assert (await payer.read(paid)).refunded_amount == "6"
    # The debt is in the ledger, and its credits are on no invoice.
    assert await payer.balances() == {"cash:stripe": "4", "receivable": "3", "usage_revenue": "-7"}
    assert await payer.rows("SELECT credits FROM wrtn_closings") == [(-3,)]
    audited = "SELECT count(*) FROM wrtn_audit_entries WHERE action = 'payment.refund_found'"
    assert await payer.rows(audited) == [(1,)]


async def test_no_more_goes_back_than_was_paid(world: PayWorld) -> None:
    payer = await world.payer()
    invoice = await payer.invoice("20")
    await payer.card()
    paid = (await payer.pay(invoice)).payment
    for amount, reason in (
        ("20.01", "REFUND_ABOVE_PAID"),
        ("0", "AMOUNT_INVALID"),
        ("1.001", "AMOUNT_INVALID"),
    ):
        assert (await refused(payer.refund(paid, amount)))[0] == reason
    await world.stripe.faults("lose")
    lost = await payer.refund(paid, "15")
    assert lost.state == payments_pb2.Refund.STATE_PENDING
    assert (await refused(payer.refund(paid, "6")))[0] == "REFUND_ABOVE_PAID"
    await world.collect(timedelta(minutes=2))
    await payer.refund(paid, "5")
    assert (await payer.read(paid)).refunded_amount == "20"
    assert await payer.balances() == {"receivable": "-20", "refunds": "20"}
    intent = await intent_of(payer, paid)
    back = [each for each in await world.stripe.list("refunds") if each["payment_intent"] == intent]
    assert sorted(each["amount"] for each in back) == [500, 1500]


async def test_a_transfer_is_given_back_by_hand_and_a_failed_payment_not_at_all(world: PayWorld) -> None:
    payer = await world.payer()
    paid = await payer.transfer("20", await payer.invoice("20"))
    assert (await payer.refund(paid, "20")).state == payments_pb2.Refund.STATE_SUCCEEDED
    await payer.card(DECLINED)
    failed = (await payer.pay(await payer.invoice("5"))).payment
    assert (await refused(payer.refund(failed, "5")))[0] == "PAYMENT_NOT_REFUNDABLE"
