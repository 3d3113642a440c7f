"""Who pays and by what: transfers that administrators book, cards that are saved, payments of others."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.database import Scope
from services.billing.models import KnownAccount, KnownEmployee
from services.billing.payments import standings
from services.billing.store.dunnings import Dunnings
from tests.billing.office import refused
from tests.billing.paying import DECLINED, Payer, PayWorld, State
from tests.usage import NEW
from wrtn.access.v1.access_pb2 import Duty, Title
from wrtn.billing.v1 import payment_methods_pb2, payments_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_transfer_pays_an_invoice_in_parts_and_what_is_above_becomes_credits(world: PayWorld) -> None:
    payer = await world.payer()
    invoice = await payer.invoice("100.00")
    first = await payer.transfer("60", invoice)
    assert (first.state, first.applied_amount) == (State.STATE_SUCCEEDED, "60")
    assert await payer.rows("SELECT state, paid FROM wrtn_invoices") == [(2, 60)]
    second = await payer.transfer("50.5", invoice)
    assert (second.amount, second.applied_amount) == ("50.5", "40")
    assert await payer.rows("SELECT state, paid FROM wrtn_invoices") == [(3, 100)]
    assert await payer.balances() == {
        "cash:bank_transfer": "110.5",
        "receivable": "-100",
        "wallet": "-10.5",
    }


@pytest.mark.parametrize(
    ("amount", "more", "reason"),
    [
        ("0", {}, "AMOUNT_INVALID"),
        ("1.001", {}, "AMOUNT_INVALID"),
        ("10", {"currency": "EUR"}, "CURRENCY_MISMATCH"),
    ],
)
async def test_a_transfer_that_is_none_is_refused_and_changes_nothing(
    world: PayWorld, amount: str, more: dict[str, Any], reason: str
) -> None:
    payer = await world.payer()
    invoice = await payer.invoice("10")
    assert (await refused(payer.transfer(amount, invoice, **more)))[0] == reason
    assert (await refused(payer.transfer("-5", invoice)))[0] == "REQUEST_INVALID"
    assert await payer.rows("SELECT 1 FROM wrtn_payments UNION SELECT 1 FROM wrtn_ledger_entries") == []


async def test_a_transaction_is_booked_once_and_by_administrators_alone(world: PayWorld) -> None:
    payer, transaction = await world.payer(), str(NEW())
    invoice = await payer.invoice("10")
    assert (await refused(payer.transfer("4", invoice, by=payer.owner)))[0] == "NOT_ADMITTED"
    await payer.transfer("4", invoice, transaction=transaction)
    for of in (payer, await world.payer()):
        other = await of.invoice("10")
        reason, _ = await refused(of.transfer("4", other, transaction=transaction))
        assert reason == "TRANSFER_BOOKED"
    assert await payer.rows("SELECT count(*) FROM wrtn_payments") == [(1,)]
    audited = await payer.rows("SELECT action FROM wrtn_audit_entries WHERE action LIKE 'payment%%'")
    assert audited == [("payment.transfer_booked",)]


async def test_owners_and_managers_with_the_duty_pay_and_nobody_else(world: PayWorld) -> None:
    payer, callers = await world.payer(), world.callers
    await payer.card()
    duty = callers.employee(payer.id, Title.TITLE_MANAGER, duties=[Duty.DUTY_BILLING])
    assert (await payer.pay(await payer.invoice("3"), by=duty)).payment.state == State.STATE_SUCCEEDED
    invoice = await payer.invoice("3")
    for title in (Title.TITLE_MANAGER, Title.TITLE_MEMBER):
        assert (await refused(payer.pay(invoice, by=callers.employee(payer.id, title))))[
            0
        ] == "PAYING_NOT_YOURS"
    for stranger in (callers.member(), (await world.payer()).owner):
        assert (await refused(payer.pay(invoice, by=stranger)))[0] == "PAYER_NOT_FOUND"
    callers.dismiss(duty)
    assert (await refused(payer.pay(invoice, by=duty)))[0] == "PAYER_NOT_FOUND"
    assert (await refused(payer.pay(invoice, by=callers.api_key(payer.owner, "write"))))[
        0
    ] == "SIGN_IN_NEEDED"


async def test_another_tenants_invoice_card_and_payment_do_not_exist(world: PayWorld) -> None:
    mine, other = await world.payer(), await world.payer()
    foreign, card = await other.invoice("3"), await other.card()
    await mine.card()
    assert (await refused(mine.pay(foreign)))[0] == "INVOICE_NOT_FOUND"
    invoice = await mine.invoice("3")
    assert (await refused(mine.pay(invoice, payment_method_id=card.id)))[0] == "PAYMENT_METHOD_NOT_FOUND"
    paid = (await other.pay(foreign)).payment
    assert (await refused(mine.read(paid)))[0] == "PAYMENT_NOT_FOUND"


async def test_payments_are_listed_the_newest_first(world: PayWorld) -> None:
    payer = await world.payer()
    invoices = [await payer.invoice("3") for _ in range(3)]
    made = [(await payer.transfer("3", each)).id for each in invoices]

    async def listed(**more: object) -> payments_pb2.ListPaymentsResponse:
        request = payments_pb2.ListPaymentsRequest(tenant_id=str(payer.id), **more)  # type: ignore[arg-type]
        return await world.payments.ListPayments(request, metadata=payer.owner.metadata)  # type: ignore[no-any-return]

    page = await listed(page_size=2)
    rest = await listed(page_size=2, page_token=page.next_page_token)
    assert [each.id for each in (*page.payments, *rest.payments)] == made[::-1]
    assert [each.id for each in (await listed(invoice_id=str(invoices[1].id))).payments] == [made[1]]


async def test_cards_are_saved_shown_made_default_and_forgotten(world: PayWorld) -> None:
    payer = await world.payer()
    first, second = await payer.card(), await payer.card(DECLINED)
    assert (first.brand, first.last_digits, first.expire_month, first.expire_year) == (
        "visa",
        "4242",
        12,
        2040,
    )
    whose: dict[str, Any] = {"tenant_id": str(payer.id)}

    async def listed() -> list[tuple[str, bool]]:
        request = payment_methods_pb2.ListPaymentMethodsRequest(**whose)
        answer = await world.methods.ListPaymentMethods(request, metadata=payer.owner.metadata)
        return [(each.id, each.default) for each in answer.payment_methods]

    assert await listed() == [(second.id, False), (first.id, True)]
    make = payment_methods_pb2.MakePaymentMethodDefaultRequest(**whose, payment_method_id=second.id)
    assert (await world.methods.MakePaymentMethodDefault(make, metadata=payer.owner.metadata)).default
    delete = payment_methods_pb2.DeletePaymentMethodRequest(**whose, payment_method_id=second.id)
    await world.methods.DeletePaymentMethod(delete, metadata=payer.owner.metadata)
    assert await listed() == [(first.id, False)]
    assert (await refused(world.methods.DeletePaymentMethod(delete, metadata=payer.owner.metadata)))[
        0
    ] == "PAYMENT_METHOD_NOT_FOUND"
    await world.collect()
    ((known, card),) = await payer.rows(
        "SELECT provider_method_id, card FROM wrtn_payment_methods WHERE detach_time IS NOT NULL"
    )
    assert b"visa" not in card
    found = await world.stripe.client.get(f"{world.stripe.url}/v1/payment_methods/{known}")
    assert found.json()["customer"] is None


async def test_a_card_is_saved_once_it_was_given_and_by_whose_it_is(world: PayWorld) -> None:
    payer, other = await world.payer(), await world.payer()
    await other.card()
    whose = payment_methods_pb2.BeginPaymentMethodRequest(tenant_id=str(payer.id))
    begun = await world.methods.BeginPaymentMethod(whose, metadata=payer.owner.metadata)
    assert begun.publishable_key == "pk_test_1"
    for of, reason in ((payer, "PAYMENT_SETUP_UNFINISHED"), (other, "PAYMENT_SETUP_NOT_FOUND")):
        request = payment_methods_pb2.CreatePaymentMethodRequest(
            tenant_id=str(of.id), setup_id=begun.setup_id
        )
        call = world.methods.CreatePaymentMethod(request, metadata=of.owner.metadata)
        assert (await refused(call))[0] == reason


async def test_the_holder_of_a_personal_account_pays_for_it_and_nobody_else(world: PayWorld) -> None:
    holder = world.callers.member()
    payer = Payer(world, holder)
    async with world.database.app.transaction(Scope.of(payer.id)) as tx:
        known = KnownAccount(
            tenant_id=payer.id, account_id=payer.id, holder_member_id=holder.member_id, version=1
        )
        tx.session.add(known)
    await payer.card()
    assert (await payer.pay(None, amount="5")).payment.state == State.STATE_SUCCEEDED
    assert (await refused(payer.pay(None, amount="5", by=world.callers.member())))[0] == "PAYER_NOT_FOUND"


async def test_while_an_enterprise_is_suspended_those_who_paid_for_it_still_may(world: PayWorld) -> None:
    payer = await world.payer()
    await payer.card()
    invoice = await payer.invoice("20")
    member = world.callers.employee(payer.id, Title.TITLE_MEMBER)
    async with world.database.app.transaction(Scope.of(payer.id)) as tx:
        for known, title in ((payer.owner, Title.TITLE_OWNER), (member, Title.TITLE_MEMBER)):
            employee = KnownEmployee(
                tenant_id=payer.id, employee_id=NEW(), member_id=known.member_id, title=title, version=1
            )
            tx.session.add(employee)
    for known in (payer.owner, member):
        # Suspended: nobody is anything in it.
        world.callers.dismiss(known)
        assert (await refused(payer.pay(invoice, by=known)))[0] == "PAYER_NOT_FOUND"
    async with world.running.runtime.db.transaction(Scope.of(payer.id)) as tx:
        await Dunnings(tx, payer.id).begin(invoice, tx.now, tx.now)
        row = await Dunnings(tx, payer.id).running(invoice.id)
        assert row is not None
        row.overdue = True
        await standings.tell(tx, payer.id)
    assert (await refused(payer.pay(invoice, by=member)))[0] == "PAYER_NOT_FOUND"
    assert (await payer.pay(invoice)).payment.state == State.STATE_SUCCEEDED
    # It pays again: whoever is nobody there then has nothing to do with it.
    assert await payer.rows("SELECT overdue, version FROM wrtn_payment_standings") == [(False, 2)]
    assert (await refused(payer.pay(None, amount="5")))[0] == "PAYER_NOT_FOUND"
