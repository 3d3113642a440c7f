"""What becomes of an invoice once it is finalised: paid, credited, withdrawn or given up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Snapshot, Transaction
from chassis.decimals import text
from services.billing import events
from services.billing.errors import AmountInvalid, InvoiceNotOpen, InvoiceOverpaid
from services.billing.ledger import chart
from services.billing.ledger.chart import BAD_DEBT, RECEIVABLE, REFUNDS, ROUNDING, TAX, PostingKind
from services.billing.ledger.ledger import Line, post
from services.billing.ledger.money import rounded
from services.billing.models import CreditNote, CreditNoteLine, Invoice, Payment
from services.billing.store.invoices import CreditNotes, Invoices, next_number
from wrtn.billing.v1.invoices_pb2 import Invoice as Wire
from wrtn.billing.v1.invoices_pb2 import InvoiceLine as WireLine

_REASON = "wrtn_credit_notes.reason"


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


async def reopen(tx: Transaction, payment: Payment, amount: Decimal) -> Invoice:
    """Takes back what a payment paid of its invoice, since the money is lost: it is owed again.

    An invoice that was given up stays so. Posts nothing: who loses the money does.
    """
    row = await Invoices(tx, payment.tenant_id).lock(payment.invoice_id) if payment.invoice_id else None
    if row is None:
        raise LookupError("an invoice that took money does not go")
    row.paid -= amount
    if row.state == Wire.STATE_PAID:
        row.state, row.pay_time = Wire.STATE_OPEN, None
    row.version, row.update_time = row.version + 1, tx.now
    tx.audit("invoice.reopened", tenant_id=row.tenant_id, target_id=row.id, payment_id=str(payment.id))
    events.invoice_changed(tx, row)
    return row


class CreditLine(NamedTuple):
    """What is given back, before tax."""

    exact_amount: Decimal
    description: str = ""
    team_id: UUID | None = None
    model: str = ""
    cost_centre: str = ""
    ledger_account: str = chart.USAGE_REVENUE
    """What earned it, and loses it now."""
    posted: bool = False
    """Whether the ledger has it already, as of a correction: then rounding and tax alone are posted."""


async def credit_note(
    tx: Transaction,
    keyring: Keyring,
    tenant_id: UUID,
    invoice_id: UUID,
    lines: Sequence[CreditLine],
    reason: str,
) -> CreditNote:
    """Credits lines of a finalised invoice with their share of its tax.

    What is due of it is less by that; what was paid already is owed back. Raises InvoiceNotOpen for a draft
    and one that was withdrawn, InvoiceOverpaid for more than is left of it, and AmountInvalid for nothing.
    """
    invoice = await _creditable(tx, tenant_id, invoice_id)
    currency = invoice.currency
    amounts = [rounded(line.exact_amount, currency) for line in lines]
    subtotal = sum(amounts, rounded(Decimal(0), currency))
    if subtotal <= 0:
        raise AmountInvalid("The amount to credit must be above zero.", field="amount")
    tax = await _tax(tx, invoice, subtotal)
    total = subtotal + tax
    note_id = tx.clock.new_id()
    key = await keyring.key(tx, tenant_id)
    taken = min(total, invoice.due)
    posting = [*_posting(lines, amounts, tax), Line(RECEIVABLE, total - taken), Line(REFUNDS, taken - total)]
    if invoice.state == Wire.STATE_UNCOLLECTIBLE:
        posting += [Line(RECEIVABLE, taken), Line(BAD_DEBT, -taken)]
    await post(tx, tenant_id, currency, PostingKind.CREDIT_NOTE, posting, f"credit-note:{note_id}")
    row = CreditNote(
        tenant_id=tenant_id,
        id=note_id,
        number=await next_number(tx, "CN"),
        invoice_id=invoice_id,
        currency=currency,
        subtotal=subtotal,
        tax=tax,
        total=total,
        reason=key.encrypt(reason.encode(), _REASON, tenant_id, note_id),
        create_time=tx.now,
    )
    tx.session.add(row)
    await tx.session.flush()
    tx.session.add_all(_note_lines(row, lines, amounts))
    if taken:
        invoice.credited += taken
        settle(tx, invoice)
    tx.audit("credit_note.issued", tenant_id=tenant_id, target_id=note_id, number=row.number, reason=reason)
    return row


async def reason_of(tx: Snapshot, keyring: Keyring, note: CreditNote) -> str:
    """Answers why a credit note was issued."""
    key = await keyring.key(tx, note.tenant_id)
    return key.decrypt(note.reason, _REASON, note.tenant_id, note.id).decode()


def settle(tx: Transaction, row: Invoice) -> None:
    """Ends the claim if nothing is due any more, and tells of the change."""
    if row.due == 0 and row.state == Wire.STATE_OPEN:
        row.state, row.pay_time = Wire.STATE_PAID, tx.now
    row.version, row.update_time = row.version + 1, tx.now
    events.invoice_changed(tx, row)


async def _creditable(tx: Transaction, tenant_id: UUID, invoice_id: UUID) -> Invoice:
    row = await Invoices(tx, tenant_id).lock(invoice_id)
    if row is None or row.state in (Wire.STATE_DRAFT, Wire.STATE_VOID):
        raise InvoiceNotOpen("A draft, or what was withdrawn, cannot be credited.", field="invoice_id")
    return row


async def _tax(tx: Snapshot, invoice: Invoice, subtotal: Decimal) -> Decimal:
    """Answers the tax on a part of what is left of an invoice: all that is left of its tax with the last."""
    credited, taxed = await CreditNotes(tx, invoice.tenant_id).of_invoice(invoice.id)
    left, tax_left = invoice.subtotal - credited, invoice.tax - taxed
    if subtotal > left:
        raise InvoiceOverpaid("Less than that is left of the invoice.", field="amount", left=text(left))
    if subtotal == left:
        return tax_left
    return min(rounded(subtotal * invoice.tax_rate / 100, invoice.currency), tax_left)


def _posting(lines: Sequence[CreditLine], amounts: Sequence[Decimal], tax: Decimal) -> Iterator[Line]:
    yield from (Line(TAX, tax), Line(RECEIVABLE, -tax))
    for line, amount in zip(lines, amounts, strict=True):
        left = amount - line.exact_amount
        yield from (Line(ROUNDING, left), Line(RECEIVABLE, -left))
        if not line.posted:
            yield from (
                Line(line.ledger_account, line.exact_amount),
                Line(RECEIVABLE, -line.exact_amount),
            )


def _note_lines(
    row: CreditNote, lines: Sequence[CreditLine], amounts: Sequence[Decimal]
) -> Iterator[CreditNoteLine]:
    for place, (line, amount) in enumerate(zip(lines, amounts, strict=True), 1):
        yield CreditNoteLine(
            tenant_id=row.tenant_id,
            credit_note_id=row.id,
            place=place,
            kind=WireLine.KIND_CORRECTION,
            description=line.description,
            team_id=line.team_id,
            model=line.model,
            cost_centre=line.cost_centre,
            quantity=1,
            exact_amount=line.exact_amount,
            amount=amount,
        )
