"""Card payments that who paid contests at their bank: what Stripe says of them takes effect once."""

from __future__ import annotations

import hmac
import json
from decimal import Decimal
from typing import Any

import pytest
from google.api.httpbody_pb2 import HttpBody

from chassis.database import Scope
from chassis.database.roles import connect
from services.billing.models import Invoice, KnownEmployee
from services.billing.wallets import wallets
from services.identity.mail.letters import Letters
from tests.billing.office import refused
from tests.billing.paying import WEBHOOK_SECRET, Payer, PayWorld, State
from tests.usage import NEW
from wrtn.access.v1.access_pb2 import TITLE_OWNER
from wrtn.billing.v1 import payments_pb2
from wrtn.billing.v1.events_pb2 import PaymentDisputed
from wrtn.billing.v1.invoices_pb2 import Invoice as WireInvoice
from wrtn.billing.v1.payment_providers_pb2 import ReceiveStripeEventRequest

pytestmark = pytest.mark.asyncio(loop_scope="module")
OPEN, PAID, GIVEN_UP = WireInvoice.STATE_OPEN, WireInvoice.STATE_PAID, WireInvoice.STATE_UNCOLLECTIBLE


async def paying(world: PayWorld) -> Payer:
    """An enterprise with a card, whose owner is known by events."""
    payer = await world.payer()
    await payer.card()
    row = KnownEmployee(
        tenant_id=payer.id,
        employee_id=NEW(),
        member_id=payer.owner.member_id,
        title=TITLE_OWNER,
        version=1,
    )
    async with world.database.app.transaction(Scope.of(payer.id)) as tx:
        tx.session.add(row)
    return payer


async def stands(payer: Payer, payment: payments_pb2.Payment, status: str, **more: Any) -> None:
    """Has Stripe say how the dispute of a payment stands, and tell us so twice."""
    about = {"id": f"dp_{payment.id}", "object": "dispute", "status": status, "metadata": {}}
    query = "SELECT provider_payment_id FROM wrtn_payments WHERE id = %s"
    ((intent,),) = await payer.rows(query, payment.id)
    cents = int(Decimal(payment.amount) * 100)
    await payer.world.stripe.dispute(
        **{**about, "amount": cents, "currency": "usd", "payment_intent": intent, **more}
    )
    for _ in range(2):
        # What the event itself says of the dispute, nobody should believe.
        await hear(payer.world, {**about, "status": "lost"})


async def hear(world: PayWorld, about: dict[str, Any], secret: str = WEBHOOK_SECRET) -> None:
    """Tells of a dispute, as Stripe signs."""
    event = {"id": f"evt_{NEW()}", "type": "charge.dispute.updated", "data": {"object": about}}
    body, stamp = json.dumps(event).encode(), int(world.running.runtime.clock.now().timestamp())
    signature = hmac.digest(secret.encode(), b"%d.%s" % (stamp, body), "sha256").hex()
    await world.providers.ReceiveStripeEvent(
        ReceiveStripeEventRequest(event=HttpBody(data=body)),
        metadata=(("stripe-signature", f"t={stamp},v1={signature}"),),
    )


async def told(payer: Payer) -> tuple[list[int], list[str]]:
    """Answers what staff were told of by events, and those who pay by mail."""
    query = "SELECT payload FROM wrtn_outbox WHERE subject LIKE '%%payment.disputed' AND tenant_id = %s"
    with connect(payer.world.database.urls.worker) as worker:
        events = worker.execute(query, (payer.id,)).fetchall()
    mails = "SELECT fills ->> 'outcome' FROM wrtn_letters WHERE template = 'payment_disputed'"
    return (
        sorted(PaymentDisputed.FromString(row[0]).state for row in events),
        sorted(row[0] for row in await payer.rows(mails)),
    )


async def owed(payer: Payer, invoice: Invoice) -> tuple[int, str]:
    """Answers the state of an invoice, and what of it is paid."""
    query = "SELECT state, trim_scale(paid)::text FROM wrtn_invoices WHERE id = %s"
    ((state, paid),) = await payer.rows(query, invoice.id)
    return state, paid


async def test_an_invoice_is_owed_again_and_dunned_for_once_its_payment_is_lost(world: PayWorld) -> None:
    payer = await paying(world)
    invoice = await payer.invoice("20")
    payment = (await payer.pay(invoice)).payment
    before = await payer.balances()
    await stands(payer, payment, "warning_needs_response")
    assert (await payer.read(payment)).state == State.STATE_SUCCEEDED
    await stands(payer, payment, "needs_response")
    await stands(payer, payment, "under_review")
    assert (await payer.read(payment)).state == State.STATE_DISPUTED
    assert await owed(payer, invoice) == (PAID, "20")
    assert await payer.balances() == {"disputes": "20", "receivable": "-20"}
    assert (await refused(payer.refund(payment, "1")))[0] == "PAYMENT_NOT_REFUNDABLE"
    await stands(payer, payment, "lost")
    await stands(payer, payment, "needs_response")
    lost = await payer.read(payment)
    assert (lost.state, lost.applied_amount) == (State.STATE_LOST, "0")
    assert await owed(payer, invoice) == (OPEN, "0")
    dunned = "SELECT steps, overdue, end_time, next_time > now() FROM wrtn_dunnings WHERE invoice_id = %s"
    assert await payer.rows(dunned, invoice.id) == [(0, False, None, True)]
    assert await told(payer) == ([State.STATE_DISPUTED, State.STATE_LOST], ["contested", "lost"])
    # The card is not charged by itself again; another one pays.
    assert (await refused(payer.pay(invoice)))[0] == "PAYMENT_METHOD_MISSING"
    await payer.card()
    assert (await payer.pay(invoice)).payment.state == State.STATE_SUCCEEDED
    assert await owed(payer, invoice) == (PAID, "20")
    assert await payer.balances() == before


async def test_a_payment_that_was_won_is_as_before(world: PayWorld) -> None:
    payer = await paying(world)
    invoice = await payer.invoice("20")
    payment = (await payer.pay(invoice)).payment
    before = await payer.balances()
    await stands(payer, payment, "won", amount=500)
    assert (await payer.read(payment)).state == State.STATE_SUCCEEDED
    assert await owed(payer, invoice) == (PAID, "20")
    assert await payer.balances() == before
    assert await told(payer) == ([State.STATE_SUCCEEDED, State.STATE_DISPUTED], ["contested", "won"])


async def test_credits_whose_price_is_lost_are_taken_back_and_what_is_spent_of_them_is_owed(
    world: PayWorld,
) -> None:
    payer = await paying(world)
    payment = (await payer.pay(amount="10", currency="USD")).payment
    async with world.database.app.transaction(Scope.of(payer.id)) as tx:
        await wallets.bonus(tx, payer.id, Decimal(2), "USD", reference="bonus:1")
        await wallets.burn(tx, payer.id, Decimal(6), "USD", reference="invoice:1")
    await stands(payer, payment, "lost")
    lots = "SELECT kind, remaining, refunded FROM wrtn_wallet_lots ORDER BY kind"
    assert await payer.rows(lots) == [("BONUS", 0, 0), ("PURCHASE", 0, 6)]
    # Six were paid with credits that were worth but two in the end.
    assert await payer.balances() == {"bonus_expense": "2", "receivable": "-2"}
    assert await payer.rows("SELECT credits FROM wrtn_closings") == [(-4,)]


async def test_what_is_lost_of_an_invoice_that_was_given_up_is_a_bad_debt(world: PayWorld) -> None:
    payer = await paying(world)
    invoice = await payer.invoice("20")
    payment = (await payer.pay(invoice)).payment
    async with world.database.app.transaction(Scope.of(payer.id)) as tx:
        row = await tx.session.get_one(Invoice, (payer.id, invoice.id))
        row.state = GIVEN_UP
    before = (await payer.balances())["receivable"]
    await stands(payer, payment, "lost")
    assert await owed(payer, invoice) == (GIVEN_UP, "0")
    assert await payer.balances() == {"receivable": before, "bad_debt": "20"}


async def test_what_stripe_did_not_sign_is_refused_and_others_disputes_are_left_alone(
    world: PayWorld,
) -> None:
    payer = await paying(world)
    payment = (await payer.pay(await payer.invoice("20"))).payment
    await stands(payer, payment, "lost", payment_intent=None)
    about = {"id": f"dp_{payment.id}", "object": "dispute"}
    assert (await refused(hear(world, about, "whsec_other")))[0] == "WEBHOOK_REFUSED"
    assert (await refused(hear(world, {**about, "id": "dp_unknown"})))[0] == "PROVIDER_UNREACHABLE"
    assert (await payer.read(payment)).state == State.STATE_SUCCEEDED


@pytest.mark.parametrize("outcome", ["contested", "won", "lost"])
async def test_identity_has_the_template(outcome: str) -> None:
    letter = Letters(public_url=None).write(
        "payment_disputed", "en", {"outcome": outcome, "amount": "4.25 EUR"}
    )
    assert "4.25 EUR" in letter.text
    assert "4.25 EUR" in letter.html
