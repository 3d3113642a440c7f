"""What stands on an invoice: fees, credits and tax, its buyer, and the names of teams."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from typing import Any

import pytest

from services.billing.plans.plan_presets import PRESETS
from tests.billing.buyers import Buyer, found
from tests.billing.invoices import amounts, bill_to, preview, printed, utc
from tests.billing.office import refused
from tests.usage import NEW, Person
from wrtn.billing.v1 import subscriptions_pb2
from wrtn.billing.v1.invoices_pb2 import InvoiceLine

pytestmark = pytest.mark.asyncio(loop_scope="module")
PRO = str(PRESETS["pro"][0])


async def subscribe(buyer: Buyer, verb: str = "Start", **more: Any) -> None:
    request = getattr(subscriptions_pb2, f"{verb}SubscriptionRequest")(enterprise_id=str(buyer.id), **more)
    call = getattr(buyer.subscriptions, f"{verb}Subscription")
    await call(request, metadata=buyer.administrator.metadata)


async def test_fees_seats_discounts_credits_and_tax_are_on_the_invoice_and_in_the_ledger(
    buyer: Buyer,
) -> None:
    buyer.at(2026, 11, 1)
    await bill_to(buyer, "Buyer GmbH", "DE", tax_id="DE1", net_days=30, purchase_order="PO-4711")
    await subscribe(buyer, plan_id=PRO, seats=7)
    buyer.at(2026, 11, 16)
    await subscribe(buyer, "Change", plan_id=PRO, seats=9)
    await subscribe(buyer, "Discount", discount="50")
    buyer.at(2026, 11, 25)
    await buyer.use(2_000_000, utc(2026, 11, 20))
    seen = await preview(buyer)
    assert (seen.id, amounts(seen, InvoiceLine.KIND_USAGE)) == ("", ["4.00"])
    (invoice,) = await buyer.invoiced(2026, 12, 1, 1)
    assert [(line.kind, line.amount) for line in invoice.lines] == [
        (InvoiceLine.KIND_PRORATION, "25.00"),
        (InvoiceLine.KIND_PRORATION, "10.00"),
        (InvoiceLine.KIND_PRORATION, "25.00"),
        (InvoiceLine.KIND_DISCOUNT, "-12.50"),
        (InvoiceLine.KIND_PRORATION, "20.00"),
        (InvoiceLine.KIND_DISCOUNT, "-10.00"),
        (InvoiceLine.KIND_USAGE, "4.00"),
        (InvoiceLine.KIND_CREDITS, "-4.00"),
    ]
    assert (invoice.subtotal, invoice.tax, invoice.total) == ("57.50", "10.92", "68.42")
    due = invoice.due_time.ToDatetime(UTC) - invoice.finalize_time.ToDatetime(UTC)
    assert (due.days, invoice.buyer.tax_id, invoice.buyer.purchase_order) == (30, "DE1", "PO-4711")
    balances = await buyer.balances()
    assert balances["receivable"] == Decimal("68.42")
    assert (balances["tax"], balances["fee_revenue"]) == (Decimal("-10.92"), Decimal("-57.5"))
    shown = await printed(buyer, invoice)
    for expected in (f"Invoice {invoice.number}", "Seller Inc.", "Purchase order: PO-4711", "Due USD"):
        assert expected in shown
    assert ("Tax 19 %" in shown, "68.42" in shown) == (True, True)


async def test_an_invoice_keeps_the_buyer_and_the_names_of_the_time_when_it_was_drawn_up(
    shop: Buyer, buyer: Buyer
) -> None:
    team = NEW()
    buyer = await found(shop, "UTC", "USD", team)
    assert await bill_to(buyer, "Käufer GmbH", "DE", team=team, address_lines=["Weg 1"]) == "1"
    await buyer.use(2_000_000, utc(2026, 11, 9), Person(buyer.id, (team,)))
    # While enterprise is away, a team is shown by its id.
    assert {line.team_name for line in (await preview(buyer)).lines} == {""}
    buyer.directory.names = {str(team): "Research"}
    (invoice,) = await buyer.invoiced(2026, 12, 1, 1)
    assert [(line.team_name, line.cost_centre) for line in invoice.lines] == [("Research", "CC-7")]
    stored = await buyer.rows("SELECT details FROM wrtn_invoice_settings")
    assert b"K\xc3\xa4ufer" not in stored[0][0]
    stale = bill_to(buyer, "Other", "DE", etag="0")
    assert (await refused(stale))[0] == "ETAG_MISMATCH"
    await bill_to(buyer, "Other", "DE", etag="1")
    buyer.directory.names = {str(team): "Renamed"}
    (after,) = await buyer.invoiced(2026, 12, 2)
    assert (after.buyer.legal_name, after.lines) == ("Käufer GmbH", invoice.lines)
    shown = await printed(buyer, invoice)
    assert ("openai/gpt-4.1, Research" in shown, "CC-7" in shown) == (True, True)
