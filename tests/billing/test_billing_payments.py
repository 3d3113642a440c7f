"""Payments by card over the real service, with localstripe as a process of its own."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from tests.billing.office import refused
from tests.billing.paying import CONFIRMED, DECLINED, Payer, PayWorld, State
from wrtn.billing.v1 import payments_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_saved_card_pays_all_that_is_due_and_nobody_pays_twice(world: PayWorld) -> None:
    payer = await world.payer()
    invoice = await payer.invoice("100.00")
    assert (await refused(payer.pay(invoice)))[0] == "PAYMENT_METHOD_MISSING"
    await payer.card()
    await payer.transfer("60", invoice)
    assert (await refused(payer.pay(invoice, amount="100")))[0] == "AMOUNT_INVALID"
    assert (await refused(payer.pay(invoice, currency="EUR")))[0] == "CURRENCY_MISMATCH"
    paid = (await payer.pay(invoice)).payment
    assert (paid.state, paid.amount, paid.applied_amount) == (State.STATE_SUCCEEDED, "40", "40")
    assert (await refused(payer.pay(invoice)))[0] == "INVOICE_NOT_OPEN"
    assert (await payer.balances())["cash:stripe"] == "40"
    intents = [each for each in await world.stripe.list("payment_intents") if each["amount"] == 4000]
    assert [each["metadata"]["payment_id"] for each in intents] == [paid.id]


async def test_of_two_who_pay_at_the_same_time_one_pays(world: PayWorld) -> None:
    payer = await world.payer()
    invoice = await payer.invoice("20")
    await payer.card()
    answers = await asyncio.gather(*(payer.pay(invoice) for _ in range(5)), return_exceptions=True)
    done = [each for each in answers if isinstance(each, payments_pb2.CreatePaymentResponse)]
    assert [each.payment.state for each in done] == [State.STATE_SUCCEEDED]
    assert (await payer.balances())["cash:stripe"] == "20"


async def test_a_declined_card_is_a_failed_payment_and_another_may_pay(world: PayWorld) -> None:
    payer = await world.payer()
    invoice = await payer.invoice("20")
    bad = await payer.card(DECLINED)
    failed = (await payer.pay(invoice)).payment
    assert (failed.state, failed.failure) == (State.STATE_FAILED, "card_declined")
    assert await payer.balances() == {}
    good = await payer.card()
    assert (bad.default, good.default) == (True, False)
    paid = (await payer.pay(invoice, payment_method_id=good.id)).payment
    assert (paid.state, paid.payment_method_id) == (State.STATE_SUCCEEDED, good.id)


async def test_a_repeated_request_pays_once(world: PayWorld) -> None:
    payer = await world.payer()
    invoice = await payer.invoice("20")
    await payer.card()
    first, second = [await payer.pay(invoice, request_id="again") for _ in range(2)]
    assert first.payment == second.payment
    assert await payer.rows("SELECT count(*) FROM wrtn_payments") == [(1,)]


@pytest.mark.parametrize("fault", ["lose", "drop"])
async def test_a_lost_answer_means_unknown_and_the_payment_is_found_again(
    world: PayWorld, fault: str
) -> None:
    payer = await world.payer()
    invoice = await payer.invoice("20")
    await payer.card()
    await world.stripe.faults(fault)
    paid = (await payer.pay(invoice)).payment
    assert (paid.state, paid.failure) == (State.STATE_PENDING, "")
    assert (await refused(payer.pay(invoice)))[0] == "PAYMENT_UNDERWAY"
    await world.collect()
    assert (await payer.read(paid)).state == State.STATE_PENDING
    await world.collect(timedelta(minutes=2))
    assert (await payer.read(paid)).state == State.STATE_SUCCEEDED
    intents = await world.stripe.list("payment_intents")
    assert sum(each["metadata"]["payment_id"] == paid.id for each in intents) == 1
    assert (await payer.balances())["cash:stripe"] == "20"


@pytest.mark.parametrize(("fault", "state"), [("lose", State.STATE_SUCCEEDED), ("drop", State.STATE_FAILED)])
async def test_after_a_day_a_payment_is_searched_for_and_never_sent_again(
    world: PayWorld, fault: str, state: State.ValueType
) -> None:
    payer = await world.payer()
    invoice = await payer.invoice("20")
    await payer.card()
    await world.stripe.faults(fault)
    paid = (await payer.pay(invoice)).payment
    await world.collect(timedelta(days=2))
    found = await payer.read(paid)
    assert (found.state, found.failure) == (state, "never_sent" if fault == "drop" else "")


async def test_a_process_killed_between_the_answer_and_the_commit_loses_nothing(
    world: PayWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    payer = await world.payer()
    invoice = await payer.invoice("20")
    await payer.card()

    class Killed(BaseException):
        """The process ends."""

    async def killed(*_: object) -> None:
        raise Killed

    await world.stripe.faults("drop")
    paid = (await payer.pay(invoice)).payment
    with monkeypatch.context() as patched:
        patched.setattr("services.billing.payments.payments.settle", killed)
        with pytest.raises(Killed):
            await world.collect(timedelta(minutes=2))
    assert (await payer.read(paid)).state == State.STATE_PENDING
    await world.collect(timedelta(minutes=2))
    assert (await payer.read(paid)).state == State.STATE_SUCCEEDED
    assert (await payer.balances())["cash:stripe"] == "20"


async def test_who_pays_confirms_to_their_bank_or_gives_up(world: PayWorld) -> None:
    payer = await world.payer()
    invoice = await payer.invoice("20")
    await payer.card(CONFIRMED)
    begun = await payer.pay(invoice)
    assert begun.payment.state == State.STATE_ACTION_REQUIRED
    assert begun.client_secret
    cancelled = await cancel(payer, begun.payment)
    assert cancelled.state == State.STATE_CANCELLED
    assert (await refused(cancel(payer, begun.payment)))[0] == "PAYMENT_NOT_CANCELLABLE"
    again = await payer.pay(invoice)
    await world.stripe.authenticate(again.client_secret.partition("_secret_")[0], again.client_secret)
    await world.collect(timedelta(minutes=5))
    assert (await payer.read(again.payment)).state == State.STATE_SUCCEEDED


async def test_what_nobody_confirms_within_a_day_is_given_up(world: PayWorld) -> None:
    payer = await world.payer()
    await payer.card(CONFIRMED)
    begun = await payer.pay(await payer.invoice("20"))
    await world.collect(timedelta(days=2))
    assert (await payer.read(begun.payment)).state == State.STATE_CANCELLED


async def test_money_that_comes_after_the_invoice_was_paid_otherwise_becomes_credits(world: PayWorld) -> None:
    payer = await world.payer()
    invoice = await payer.invoice("20")
    await payer.card(CONFIRMED)
    begun = await payer.pay(invoice)
    await payer.transfer("20", invoice)
    await world.stripe.authenticate(begun.client_secret.partition("_secret_")[0], begun.client_secret)
    await world.collect(timedelta(minutes=5))
    paid = await payer.read(begun.payment)
    assert (paid.state, paid.applied_amount) == (State.STATE_SUCCEEDED, "0")
    assert (await payer.balances())["wallet"] == "-20"


async def cancel(payer: Payer, payment: payments_pb2.Payment) -> payments_pb2.Payment:
    """Gives a payment up."""
    request = payments_pb2.CancelPaymentRequest(tenant_id=str(payer.id), payment_id=str(UUID(payment.id)))
    return await payer.world.payments.CancelPayment(request, metadata=payer.owner.metadata)  # type: ignore[no-any-return]


async def test_credits_are_bought_by_card_and_no_invoice_is_needed(world: PayWorld) -> None:
    payer = await world.payer()
    await payer.card()
    for more, reason in (
        ({}, "AMOUNT_INVALID"),
        ({"amount": "0"}, "AMOUNT_INVALID"),
        ({"amount": "5", "currency": "EUR"}, "CURRENCY_MISMATCH"),
    ):
        assert (await refused(payer.pay(None, **more)))[0] == reason  # type: ignore[arg-type]
    bought = (await payer.pay(None, amount="5", currency="USD")).payment
    assert (bought.state, bought.applied_amount) == (State.STATE_SUCCEEDED, "0")
    await payer.transfer("2")
    assert await payer.rows("SELECT balance FROM wrtn_wallets") == [(7,)]
    assert await payer.balances() == {"cash:stripe": "5", "cash:bank_transfer": "2", "wallet": "-7"}
