"""Money that came, and that goes back, in the ledger; what it is for, in the same transaction."""

from __future__ import annotations

from decimal import Decimal

from chassis.database import Transaction
from services.billing.invoices import invoicing
from services.billing.ledger import chart
from services.billing.ledger.chart import PostingKind
from services.billing.ledger.ledger import Line, post
from services.billing.models import Payment, Refund
from services.billing.payments import standings
from services.billing.store.invoices import Invoices
from services.billing.wallets import purchases, wallets
from wrtn.billing.v1.payments_pb2 import PAYMENT_PROVIDER_BANK_TRANSFER, PAYMENT_PROVIDER_STRIPE

NAMES: dict[int, str] = {PAYMENT_PROVIDER_STRIPE: "stripe", PAYMENT_PROVIDER_BANK_TRANSFER: "bank_transfer"}
"""The providers as the ledger calls them."""


async def book(tx: Transaction, row: Payment) -> None:
    """Books a payment that succeeded: the invoice takes what is due of it, the rest becomes credits."""
    row.applied_amount = await _applied(tx, row)
    cash = chart.cash(NAMES[row.provider])
    if row.applied_amount:
        lines = [Line(cash, row.applied_amount), Line(chart.RECEIVABLE, -row.applied_amount)]
        await post(tx, row.tenant_id, row.currency, PostingKind.PAYMENT, lines, f"payment:{row.id}")
    rest = row.amount - row.applied_amount
    if rest:
        reference = purchases.reference_of(row.id)
        await wallets.purchase(tx, row.tenant_id, rest, row.currency, source=cash, reference=reference)


async def book_back(tx: Transaction, row: Payment, refund: Refund) -> None:
    """Books money that went back."""
    cash = chart.cash(NAMES[row.provider])
    lines = [Line(chart.REFUNDS, refund.amount), Line(cash, -refund.amount)]
    await post(tx, row.tenant_id, row.currency, PostingKind.REFUND, lines, f"refund:{refund.id}")


async def book_returned(tx: Transaction, row: Payment, refund: Refund) -> None:
    """Books money that had gone back and could not be delivered: the provider has it again."""
    cash = chart.cash(NAMES[row.provider])
    lines = [Line(cash, refund.amount), Line(chart.REFUNDS, -refund.amount)]
    await post(tx, row.tenant_id, row.currency, PostingKind.REFUND, lines, f"refund-returned:{refund.id}")


async def _applied(tx: Transaction, row: Payment) -> Decimal:
    if row.invoice_id is None:
        return Decimal(0)
    invoice = await Invoices(tx, row.tenant_id).open(row.invoice_id)
    applied = min(row.amount, invoice.due) if invoice is not None else Decimal(0)
    if applied:
        paid = await invoicing.mark_paid(tx, row.tenant_id, row.invoice_id, row.id, applied)
        if not paid.due:
            await standings.ended(tx, row.tenant_id, paid.id)
    return applied
