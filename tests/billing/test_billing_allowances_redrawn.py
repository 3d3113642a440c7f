"""Included tokens where something changes afterwards: prices within the month, and withdrawn invoices."""

from __future__ import annotations

from decimal import Decimal

import pytest

from chassis.database import Scope
from services.billing.wallets import wallets
from tests.billing.buyers import Buyer
from tests.billing.correcting import agreed, corrected, priced
from tests.billing.invoices import preview, utc
from tests.billing.test_billing_included_tokens import including, lots, of, plan, shown, subscribe
from wrtn.billing.v1.invoices_pb2 import Invoice, InvoiceLine, VoidInvoiceRequest

pytestmark = pytest.mark.asyncio(loop_scope="module")
MILLION = 1_000_000
USAGE, INCLUDED, CREDITS = InvoiceLine.KIND_USAGE, InvoiceLine.KIND_INCLUDED, InvoiceLine.KIND_CREDITS


async def subscribed(buyer: Buyer, key: str, included: int, credits_bought: str) -> None:
    """Has a plan with a fee of seven that includes tokens, and credits."""
    terms = including(included)
    terms.prices[0].fee = "7"
    buyer.at(2026, 11, 1)
    await subscribe(buyer, await plan(buyer, key, terms))
    async with buyer.running.runtime.db.transaction(Scope.of(buyer.id)) as tx:
        amount = Decimal(credits_bought)
        await wallets.purchase(tx, buyer.id, amount, "USD", source="cash:bank", reference="bought")


async def test_a_price_that_is_corrected_within_the_month_changes_what_tokens_and_credits_cover(
    buyer: Buyer,
) -> None:
    await subscribed(buyer, "redrawn-price", MILLION, "30")
    price_id = await priced(buyer, "acme/redrawn")
    buyer.at(2026, 11, 5)
    await buyer.use(2 * MILLION, utc(2026, 11, 3), model="acme/redrawn")
    assert await lots(buyer) == {"PURCHASE": Decimal(10)}
    # Down: eight of twenty come back at once; up: four of them burn again.
    for rate, charged, left in (("6", 12, 18), ("8", 16, 14)):
        await corrected(buyer, price_id, rate)
        half = f"-{charged // 2}"
        assert shown(await preview(buyer)) == [
            of(USAGE, str(charged), 1),
            of(INCLUDED, half, MILLION),
            of(CREDITS, half, 1),
        ]
        assert await lots(buyer) == {"PURCHASE": Decimal(left)}
    (invoice,) = await buyer.invoiced(2026, 12, 1, 1)
    assert shown(invoice) == [of(USAGE, "16", 1), of(INCLUDED, "-8", MILLION), of(CREDITS, "-8", 1)]
    # What burnt for covered tokens is there again.
    assert (invoice.subtotal, await lots(buyer)) == ("7.00", {"PURCHASE": Decimal(22)})
    await agreed(buyer, due=invoice.due)


async def test_credits_that_returned_for_covered_tokens_return_once_where_their_invoice_is_withdrawn(
    buyer: Buyer,
) -> None:
    await subscribed(buyer, "redrawn-void", 3 * MILLION, "10")
    await buyer.use(4 * MILLION, utc(2026, 11, 3))
    (first,) = await buyer.invoiced(2026, 12, 1, 1)
    said = [of(USAGE, "8", 1), of(INCLUDED, "-6", 3 * MILLION), of(CREDITS, "-2", 1)]
    assert (shown(first), await lots(buyer)) == (said, {"PURCHASE": Decimal(8)})
    # In December they burn for something else before the invoice of November is withdrawn.
    buyer.at(2026, 12, 3)
    await buyer.use(4 * MILLION, utc(2026, 12, 2))
    request = VoidInvoiceRequest(enterprise_id=str(buyer.id), invoice_id=first.id, reason="wrong address")
    await buyer.invoices.VoidInvoice(request, metadata=buyer.administrator.metadata)
    (_, second) = await buyer.invoiced(2026, 12, 3, 2)
    assert (shown(second), second.subtotal, second.state) == (said, "7.00", Invoice.STATE_OPEN)
    assert await lots(buyer) == {"PURCHASE": Decimal(0)}
    (*_, third) = await buyer.invoiced(2027, 1, 1, 1)
    assert (shown(third), third.subtotal, await lots(buyer)) == (said, "7.00", {"PURCHASE": Decimal(6)})
    await agreed(buyer, due=str(Decimal(second.due) + Decimal(third.due)))
