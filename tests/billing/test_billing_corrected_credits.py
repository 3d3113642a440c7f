"""Corrections of what was paid with credits: they come back, and increases burn them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from chassis.database import Scope
from services.billing.models import KnownAccount
from services.billing.wallets import wallets
from tests.billing.buyers import Buyer, found
from tests.billing.correcting import MILLION, agreed, corrected, priced
from tests.billing.invoices import act, notes, preview
from tests.usage import Person, freelancer

pytestmark = pytest.mark.asyncio(loop_scope="module")
LEFT_OF_SIX = {"usage_revenue": Decimal(-5), "bonus_expense": Decimal(6), "wallet": Decimal(-1)}
"""The books of who was given six credits, and used what costs five."""


async def given(buyer: Buyer, amount: int) -> None:
    """Gives credits."""
    async with buyer.running.runtime.db.transaction(Scope.of(buyer.id)) as tx:
        await wallets.bonus(tx, buyer.id, Decimal(amount), "USD", reference="test")


async def alone(shop: Buyer) -> tuple[Buyer, Person]:
    """Somebody with a personal account, which has no invoices."""
    person = freelancer()
    async with shop.database.app.transaction(Scope.of(person.tenant_id)) as tx:
        account = KnownAccount(
            tenant_id=person.tenant_id,
            account_id=person.tenant_id,
            holder_member_id=person.member_id,
            version=1,
        )
        tx.session.add(account)
    return Buyer(**{**vars(shop), "id": person.tenant_id}), person


async def test_credits_that_paid_for_what_is_not_charged_any_more_come_back_and_increases_burn(
    shop: Buyer, buyer: Buyer
) -> None:
    model, at = "acme/credits", shop.at(2026, 11, 10)
    price = await priced(shop, model)
    await given(buyer, 6)
    await buyer.use(MILLION, at, Person(buyer.id), model)
    (invoice,) = await buyer.invoiced(2026, 12, 1, 1)
    assert invoice.total == "4.00"

    # Four of five by the credit note, which is all that is left; the fifth was paid with a credit.
    buyer.at(2026, 12, 2)
    await corrected(shop, price, "5")
    assert [(each.invoice_id, each.total) for each in await notes(buyer)] == [(invoice.id, "4.00")]
    assert await agreed(buyer, due="0") == LEFT_OF_SIX

    # Two were too little, of which one is paid with the credit.
    await corrected(shop, price, "7")
    balances = await agreed(buyer)
    assert balances["receivable"] == 1
    assert balances["usage_revenue"] == -7
    following = (await buyer.invoiced(2027, 1, 1, 1))[-1]
    assert [line.amount for line in following.lines] == ["2.00", "-1.00"]
    await agreed(buyer, due="1")

    # All of it was wrong: what was paid otherwise comes back, and nothing that came back before.
    buyer.at(2027, 1, 5)
    await corrected(shop, price, "0")
    balances = await agreed(buyer)
    assert balances["wallet"] == -7
    assert balances["receivable"] == 1


async def test_credits_come_back_at_once_where_nothing_is_invoiced_yet_or_ever_and_where_it_was_credited(
    shop: Buyer,
) -> None:
    model, at = "acme/at-once", shop.at(2026, 11, 10)
    price = await priced(shop, model)
    open_one, credited, (person, who) = await found(shop), await found(shop), await alone(shop)
    for each, amount in ((open_one, 10), (credited, 6), (person, 6)):
        await given(each, amount)
    await credited.use(MILLION, at, Person(credited.id), model)
    await person.use(MILLION, at, who, model)
    (invoice,) = await credited.invoiced(2026, 12, 1, 1)
    await act(credited, "Credit", invoice, amount="4", reason="sorry")
    await open_one.use(MILLION, shop.at(2026, 12, 2), Person(open_one.id), model)
    await corrected(shop, price, "5")

    # Of ten credits five come back at once, and the invoice shows the others.
    assert (await agreed(open_one))["wallet"] == -5
    assert [line.amount for line in (await preview(open_one)).lines] == ["5.00", "-5.00"]
    # Who has no invoices owed four of ten: one credit comes back.
    assert await agreed(person) == LEFT_OF_SIX

    await corrected(shop, price, "7")
    for each, owed in ((person, 1), (open_one, 0)):
        balances = await agreed(each)
        assert balances.get("receivable", 0) == owed
        assert balances["usage_revenue"] == -7

    shop.at(2027, 1, 5)
    await corrected(shop, price, "0")
    for each, left in ((person, 6), (open_one, 10), (credited, 6)):
        balances = await agreed(each)
        assert balances["wallet"] == -left
        assert "receivable" not in balances
