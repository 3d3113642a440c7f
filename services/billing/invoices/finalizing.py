"""Invoices from drafts to their numbers, and withdrawn again.

Locks in one order: the invoice, the tenant's ledger, what is closed, the series of numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Snapshot, Transaction
from services.billing import events
from services.billing.errors import InvoiceNotDraft, InvoiceNotOpen, InvoicePaidInPart
from services.billing.invoices import invoice_settings
from services.billing.invoices.drafting import Drafter, Drawn
from services.billing.invoices.drafting import Line as DrawnLine
from services.billing.invoices.invoicing import settle
from services.billing.ledger import chart
from services.billing.ledger.chart import PostingKind
from services.billing.ledger.ledger import Line, post
from services.billing.models import Invoice, InvoiceLine
from services.billing.periods import Span
from services.billing.spending.admission import ZERO
from services.billing.store.billed import Billed, lock_closing
from services.billing.store.budgets import Budgets
from services.billing.store.invoices import Invoices, next_number
from services.billing.store.wallets import WalletRead
from services.billing.wallets import wallets
from wrtn.billing.v1.invoice_settings_pb2 import InvoiceSettings
from wrtn.billing.v1.invoices_pb2 import Invoice as Wire
from wrtn.billing.v1.invoices_pb2 import InvoiceLine as WireLine

_BUYER = "wrtn_invoices.buyer"
_COVERED = "covered:{}"
"""The reference of the credits that an invoice returned since the plan covers what they paid."""
_POSTED = (WireLine.KIND_USAGE, WireLine.KIND_CREDITS, WireLine.KIND_CORRECTION)
"""What is in the ledger since it was used, burnt or corrected."""


async def draft(tx: Transaction, tenant_id: UUID, period: Span, drawn: Drawn) -> None:
    """Keeps a draft of what is drawn, unless there is one for the period since a moment ago."""
    row = Invoice(
        tenant_id=tenant_id,
        id=tx.clock.new_id(),
        state=Wire.STATE_DRAFT,
        number=None,
        currency=drawn.currency,
        start_time=period.start,
        end_time=period.end,
        paid=ZERO,
        credited=ZERO,
        version=1,
        create_time=tx.now,
    )
    queries = Invoices(tx, tenant_id)
    if await queries.insert(_say(tx, row, drawn)):
        await queries.replace_lines(row.id, _lines(row, drawn))


async def finalize(tx: Transaction, drafter: Drafter, tenant_id: UUID, invoice_id: UUID) -> Invoice:
    """Closes the time of a draft, draws it up for good, numbers and posts it; raises InvoiceNotDraft."""
    queries = Invoices(tx, tenant_id)
    row = await queries.lock(invoice_id)
    if row is None or row.state != Wire.STATE_DRAFT or row.end_time > tx.now:
        raise InvoiceNotDraft("The invoice is no draft whose time is over.", field="invoice_id")
    await Budgets(tx, tenant_id).lock_tenant()
    closing = await lock_closing(tx, tenant_id)
    if row.start_time > closing.end_time:
        raise InvoiceNotDraft("The invoice before it is to be finalised first.", field="invoice_id")
    drawn = await drafter.draw(tx, tenant_id, row.start_time, row.end_time)
    billed = Billed(tx, tenant_id)
    closing.credits += await billed.burnt(closing.sequence) + drawn.exact(WireLine.KIND_CREDITS)
    covered = -drawn.exact(WireLine.KIND_INCLUDED) - await _returned_before(tx, row)
    closing.credits -= await _returned(tx, row, min(closing.credits, covered))
    closing.end_time = max(closing.end_time, row.end_time)
    await queries.replace_lines(row.id, _lines(row, drawn))
    _say(tx, row, drawn)
    key = await drafter.keyring.key(tx, tenant_id)
    row.buyer = key.encrypt(drawn.buyer.SerializeToString(deterministic=True), _BUYER, tenant_id, row.id)
    row.finalize_time = tx.now
    row.due_time = tx.now + timedelta(days=row.net_days)
    await post(
        tx,
        tenant_id,
        row.currency,
        PostingKind.INVOICE,
        _posting(drawn.lines, drawn.tax),
        f"invoice:{row.id}",
    )
    closing.sequence = await billed.last_sequence()
    row.state, row.number = Wire.STATE_OPEN, await next_number(tx, "INV")
    settle(tx, row)
    tx.audit("invoice.finalized", tenant_id=tenant_id, target_id=row.id, number=row.number)
    return row


async def void(tx: Transaction, drafter: Drafter, tenant_id: UUID, invoice_id: UUID, reason: str) -> Invoice:
    """Withdraws an invoice and drafts its time anew; raises InvoiceNotOpen and InvoicePaidInPart."""
    queries = Invoices(tx, tenant_id)
    row = await queries.open(invoice_id)
    if row is None:
        raise InvoiceNotOpen("The invoice is not open.", field="invoice_id")
    if row.paid or row.credited:
        raise InvoicePaidInPart("Something of it is paid: credit the rest.", field="invoice_id")
    await Budgets(tx, tenant_id).lock_tenant()
    closing = await lock_closing(tx, tenant_id)
    lines = await queries.lines(row.id)
    closing.credits -= sum((line.exact_amount for line in lines if line.kind == WireLine.KIND_CREDITS), ZERO)
    back = [Line(line.ledger_account, -line.amount) for line in _posting(lines, row.tax)]
    await post(tx, tenant_id, row.currency, PostingKind.INVOICE, back, f"void:{row.id}")
    close(tx, row, Wire.STATE_VOID)
    tx.audit("invoice.voided", tenant_id=tenant_id, target_id=row.id, reason=reason)
    await tx.session.flush()
    drawn = await drafter.draw(tx, tenant_id, row.start_time, row.end_time)
    await draft(tx, tenant_id, Span(row.start_time, row.end_time), drawn)
    return row


async def write_off(tx: Transaction, tenant_id: UUID, invoice_id: UUID, reason: str) -> Invoice:
    """Gives up what is due of an invoice; raises InvoiceNotOpen."""
    row = await Invoices(tx, tenant_id).open(invoice_id)
    if row is None:
        raise InvoiceNotOpen("The invoice is not open.", field="invoice_id")
    lines = [Line(chart.BAD_DEBT, row.due), Line(chart.RECEIVABLE, -row.due)]
    await post(tx, tenant_id, row.currency, PostingKind.WRITE_OFF, lines, f"write-off:{row.id}")
    close(tx, row, Wire.STATE_UNCOLLECTIBLE)
    tx.audit("invoice.written_off", tenant_id=tenant_id, target_id=row.id, reason=reason)
    return row


def close(tx: Transaction, row: Invoice, state: Wire.State.ValueType) -> None:
    """Ends the claim without its being paid."""
    row.state, row.close_time = state, tx.now
    row.version, row.update_time = row.version + 1, tx.now
    events.invoice_changed(tx, row)


async def buyer_of(tx: Snapshot, keyring: Keyring, row: Invoice) -> InvoiceSettings:
    """Answers what stands on an invoice of the buyer; on a draft, what is set now."""
    if row.buyer is None:
        return await invoice_settings.get(tx, keyring, row.tenant_id)
    key = await keyring.key(tx, row.tenant_id)
    return InvoiceSettings.FromString(key.decrypt(row.buyer, _BUYER, row.tenant_id, row.id))


async def _returned(tx: Transaction, row: Invoice, amount: Decimal) -> Decimal:
    """Returns credits that burnt for what the plan covers; answers how many found their place again."""
    if amount <= 0:
        return ZERO
    return await wallets.give_back(tx, row.tenant_id, amount, row.currency, reference=_COVERED.format(row.id))


async def _returned_before(tx: Transaction, row: Invoice) -> Decimal:
    """Answers the credits that withdrawn invoices of the same period returned: they stayed returned."""
    read = WalletRead(tx, row.tenant_id)
    withdrawn = await Invoices(tx, row.tenant_id).withdrawn(row.start_time)
    entries = [await read.burnt(_COVERED.format(each)) or ZERO for each in withdrawn]
    return -sum(entries, ZERO)


def _say(tx: Transaction, row: Invoice, drawn: Drawn) -> Invoice:
    row.subtotal, row.tax = drawn.subtotal, drawn.tax
    row.tax_rate, row.reverse_charge = drawn.taxed
    row.total = drawn.subtotal + drawn.tax
    row.net_days, row.update_time = drawn.buyer.net_days, tx.now
    return row


def _lines(row: Invoice, drawn: Drawn) -> list[InvoiceLine]:
    return [
        InvoiceLine(tenant_id=row.tenant_id, invoice_id=row.id, place=place, **line._asdict())
        for place, line in enumerate(drawn.lines, 1)
    ]


def _posting(lines: Iterable[DrawnLine | InvoiceLine], tax: Decimal) -> list[Line]:
    """Answers what finalising posts: what is not in the ledger yet, the tax, and what rounding left over."""
    found = [Line(chart.RECEIVABLE, tax), Line(chart.TAX, -tax)]
    for line in lines:
        left = line.amount - line.exact_amount
        found += [Line(chart.RECEIVABLE, left), Line(chart.ROUNDING, -left)]
        if line.kind not in _POSTED:
            account = chart.INCLUDED if line.kind == WireLine.KIND_INCLUDED else chart.FEE_REVENUE
            found += [Line(chart.RECEIVABLE, line.exact_amount), Line(account, -line.exact_amount)]
    return found
