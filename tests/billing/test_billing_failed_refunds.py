"""Refunds that fail after they succeeded: noticed by events and by looking, booked back and told, once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from chassis.database import Scope
from chassis.database.roles import connect
from services.billing.wallets import wallets
from services.identity.mail.letters import Letters
from tests.billing.paying import Payer, PayWorld, State
from tests.billing.test_billing_disputes import paying
from tests.billing.test_billing_refunds import intent_of, lots, spent, tell
from wrtn.billing.v1 import payments_pb2
from wrtn.billing.v1.events_pb2 import RefundFailed

pytestmark = pytest.mark.asyncio(loop_scope="module")
Refund = payments_pb2.Refund


async def bought(world: PayWorld, amount: str = "10") -> tuple[Payer, payments_pb2.Payment]:
    """A payer known by events who has bought credits by card."""
    payer = await paying(world)
    return payer, (await payer.pay(None, amount=amount, currency="USD")).payment


async def refunds(payer: Payer) -> list[tuple[Any, ...]]:
    """The states of refunds, and when they are looked at next, in days from their beginning."""
    query = (
        "SELECT state, extract(day FROM check_time - create_time)::int FROM wrtn_refunds ORDER BY create_time"
    )
    return await payer.rows(query)


async def told(payer: Payer) -> tuple[list[str], list[str]]:
    """What staff were told of by events, and those who pay by mail."""
    query = "SELECT payload FROM wrtn_outbox WHERE subject LIKE '%%refund.failed' AND tenant_id = %s"
    with connect(payer.world.database.urls.worker) as worker:
        events = worker.execute(query, (payer.id,)).fetchall()
    mails = await payer.rows("SELECT fills ->> 'amount' FROM wrtn_letters WHERE template = 'refund_failed'")
    return [RefundFailed.FromString(row[0]).amount for row in events], [row[0] for row in mails]


async def test_a_refund_that_fails_after_it_succeeded_is_booked_back_and_told_once(world: PayWorld) -> None:
    payer, paid = await bought(world)
    before = await payer.balances()
    refund = await payer.refund(paid, "4")
    assert (refund.state, await refunds(payer)) == (Refund.STATE_SUCCEEDED, [(Refund.STATE_SUCCEEDED, 1)])
    ((known,),) = await payer.rows("SELECT provider_refund_id FROM wrtn_refunds")
    ours = {"tenant_id": paid.tenant_id, "refund_id": refund.id}
    # An event that tells of nothing new changes nothing; what it says itself nobody believes.
    await tell(world, paid, "refund", id=known, metadata=ours, status="failed")
    assert (await payer.read(paid)).refunded_amount == "4"
    await world.stripe.refunds("failed")
    await tell(world, paid, "refund", id=known, metadata=ours)
    await world.stripe.refunds("succeeded")
    await tell(world, paid, "refund", id=known, metadata=ours)
    assert await refunds(payer) == [(Refund.STATE_FAILED, None)]
    assert (await payer.read(paid)).refunded_amount == "0"
    assert [(lot.remaining, lot.refunded) for lot in await lots(payer)] == [("10", "0")]
    assert await payer.balances() == before
    assert await told(payer) == (["4"], ["4 USD"])
    # All of it may go back again.
    assert (await payer.refund(paid, "10")).state == Refund.STATE_SUCCEEDED


async def test_without_any_event_it_is_found_by_looking_for_a_month(world: PayWorld) -> None:
    payer, paid = await bought(world)
    await payer.refund(paid, "4")
    aged = "UPDATE wrtn_refunds SET create_time = create_time - interval '1 day' * %s, check_time = now()"
    for days, wait in ((1, 2), (2, 6), (20, 46), (9, None)):
        async with world.database.app.transaction(Scope.of(payer.id)) as tx:
            await (await tx.driver()).execute(aged, (days,))
        await world.collect(timedelta(minutes=1))
        assert await refunds(payer) == [(Refund.STATE_SUCCEEDED, wait)]
    payer, paid = await bought(world)
    await payer.refund(paid, "4")
    await world.stripe.refunds("failed")
    await world.collect(timedelta(hours=23))
    assert await refunds(payer) == [(Refund.STATE_SUCCEEDED, 1)]
    await world.collect(timedelta(hours=25))
    await world.stripe.refunds("succeeded")
    assert await refunds(payer) == [(Refund.STATE_FAILED, None)]
    assert await told(payer) == (["4"], ["4 USD"])


async def test_a_failed_refund_of_spent_credits_forgives_the_debt_and_what_had_paid_it_returns(
    world: PayWorld,
) -> None:
    payer, paid = await bought(world)
    await spent(payer, Decimal(7))
    async with world.database.app.transaction(Scope.of(payer.id)) as tx:
        await wallets.bonus(tx, payer.id, Decimal(2), "USD", reference="given")
    before = await payer.balances()
    intent = await intent_of(payer, paid)
    await world.stripe.refund(intent, 800)
    # What is begun at Stripe has nothing of ours on it.
    await tell(world, paid, "refund", id="re_1", metadata={}, payment_intent=intent)
    assert await payer.rows("SELECT credits, debt FROM wrtn_refunds") == [(3, 5)]
    balances = await payer.balances()
    assert (balances["receivable"], "wallet" in balances) == ("3", False)
    await world.stripe.refunds("failed")
    await tell(world, paid, "refund", id="re_1", metadata={}, payment_intent=intent)
    await world.stripe.refunds("succeeded")
    assert await payer.balances() == before
    assert sum(Decimal(lot.remaining) for lot in await lots(payer)) == 5
    assert await payer.rows("SELECT credits FROM wrtn_closings") == [(-2,)]
    assert await told(payer) == (["8"], ["8 USD"])


async def test_disputes_of_which_no_event_came_are_found_at_stripe(world: PayWorld) -> None:
    payer, paid = await bought(world)
    watch = next(job for job in world.replica.jobs if job.name == "watch-disputes")
    world.clock.ahead = timedelta()
    begun = int(world.clock.now().timestamp())
    dispute = {"id": f"dp_{paid.id}", "object": "dispute", "amount": 1000, "currency": "usd"}
    dispute |= {"payment_intent": await intent_of(payer, paid), "created": begun}
    others = {**dispute, "id": "dp_others", "payment_intent": None, "status": "lost"}
    await world.stripe.dispute(**others)
    await world.stripe.dispute(**dispute, status="needs_response")
    for _ in range(2):
        await watch.run()
    assert (await payer.read(paid)).state == State.STATE_DISPUTED
    # Weeks later it is decided: nobody lists it any more, but we know that we wait for it.
    world.clock.ahead = timedelta(days=40)
    await world.stripe.dispute(**dispute, status="lost")
    for _ in range(2):
        await watch.run()
    assert (await payer.read(paid)).state == State.STATE_LOST
    query = "SELECT count(*) FROM wrtn_postings WHERE kind = 'dispute'"
    assert await payer.rows(query) == [(2,)]


async def test_identity_has_the_templates() -> None:
    fills = {"amount": "4.25 EUR", "payment_id": str(UUID(int=1)), "tenant_id": str(UUID(int=2))}
    for template in ("refund_failed", "refund_failed_told"):
        letter = Letters(public_url=None).write(template, "en", fills)
        assert "4.25 EUR" in letter.text
        assert "4.25 EUR" in letter.html
