"""What becomes of an invoice once it is finalised: paid, credited, withdrawn or given up."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from chassis.database import Transaction
from chassis.decimals import text
from services.billing import events
from services.billing.errors import InvoiceNotOpen, InvoiceOverpaid
from services.billing.models import Invoice
from services.billing.store.invoices import Invoices
from wrtn.billing.v1.invoices_pb2 import Invoice as Wire


async def mark_paid(
    tx: Transaction, tenant_id: UUID, invoice_id: UUID, payment_id: UUID, amount: Decimal
) -> Invoice:
    """Notes what a payment paid of an invoice: paid whole, it is PAID. Posts nothing: who takes money does.

    To be called once a payment, in the transaction that ends it. Raises InvoiceNotOpen and InvoiceOverpaid.
    """
    row = await Invoices(tx, tenant_id).open(invoice_id)
    if row is None:
        raise InvoiceNotOpen("The invoice is not to be paid (any more).", field="invoice_id")
    if not 0 < amount <= row.due:
        raise InvoiceOverpaid("Less than that is due.", field="amount", due=text(row.due))
    row.paid += amount
    settle(tx, row)
    tx.audit(
        "invoice.paid",
        tenant_id=tenant_id,
        target_id=invoice_id,
        payment_id=str(payment_id),
        amount=text(amount),
    )
    return row


def settle(tx: Transaction, row: Invoice) -> None:
    """Ends the claim if nothing is due any more, and tells of the change."""
    if row.due == 0:
        row.state, row.pay_time = Wire.STATE_PAID, tx.now
    row.version, row.update_time = row.version + 1, tx.now
    events.invoice_changed(tx, row)
