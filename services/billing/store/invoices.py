"""The queries on invoices, credit notes and their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot, Transaction
from services.billing.models import CreditNote, CreditNoteLine, Invoice, InvoiceLine, NumberSeries
from wrtn.billing.v1.invoices_pb2 import Invoice as Wire


class Invoices:
    """The invoices of a tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def insert(self, row: Invoice) -> bool:
        """Adds an invoice; False if there is one for its period that is not withdrawn."""
        values = {each.name: getattr(row, each.name) for each in Invoice.__table__.columns}
        added = insert(Invoice).values(values).on_conflict_do_nothing().returning(Invoice.id)
        return await self._session.scalar(added) is not None

    async def get(self, invoice_id: UUID) -> Invoice | None:
        """Answers the invoice."""
        return await self._session.get(Invoice, (self._tenant_id, invoice_id))

    async def lock(self, invoice_id: UUID) -> Invoice | None:
        """Answers the invoice as it stands, and lets nobody else change it until the commit."""
        key = (self._tenant_id, invoice_id)
        return await self._session.get(Invoice, key, with_for_update=True, populate_existing=True)

    async def lock_after(self, moment: datetime) -> None:
        """Locks all that end after a moment, the oldest first: none of them is finalised until the commit."""
        row = Invoice
        query = select(row.id).where(row.tenant_id == self._tenant_id, row.end_time > moment)
        await self._session.execute(query.order_by(row.start_time, row.id).with_for_update())

    async def open(self, invoice_id: UUID) -> Invoice | None:
        """Answers the invoice, locked, if it is to be paid."""
        row = await self.lock(invoice_id)
        return row if row is not None and row.state == Wire.STATE_OPEN else None

    async def past_due(self, now: datetime, size: int) -> Sequence[Invoice]:
        """Answers invoices that should have been paid by now, the longest due first."""
        query = select(Invoice).where(
            Invoice.tenant_id == self._tenant_id, Invoice.state == Wire.STATE_OPEN, Invoice.due_time <= now
        )
        return (await self._session.scalars(query.order_by(Invoice.due_time).limit(size))).all()

    async def page(self, before: tuple[datetime, UUID] | None, size: int) -> Sequence[Invoice]:
        """Answers invoices, the newest first."""
        key = tuple_(Invoice.create_time, Invoice.id)
        query = select(Invoice).where(Invoice.tenant_id == self._tenant_id)
        if before is not None:
            query = query.where(key < before)
        return (await self._session.scalars(query.order_by(key.desc()).limit(size))).all()

    async def drafts(self) -> Sequence[Invoice]:
        """Answers the drafts, the oldest period first."""
        query = select(Invoice).where(Invoice.tenant_id == self._tenant_id, Invoice.state == Wire.STATE_DRAFT)
        return (await self._session.scalars(query.order_by(Invoice.start_time))).all()

    async def withdrawn(self, start: datetime) -> Sequence[UUID]:
        """Answers the invoices of the period from `start` on that were withdrawn."""
        query = select(Invoice.id).where(
            Invoice.tenant_id == self._tenant_id,
            Invoice.start_time == start,
            Invoice.state == Wire.STATE_VOID,
        )
        return (await self._session.scalars(query)).all()

    async def first_open(self, closed: datetime) -> datetime:
        """Answers from when on nothing is on a finalised invoice, where all before `closed` was once."""
        return min((closed, *(draft.start_time for draft in await self.drafts())))

    async def lines(self, invoice_id: UUID) -> Sequence[InvoiceLine]:
        """Answers the lines in their order."""
        line = InvoiceLine
        query = select(line).where(line.tenant_id == self._tenant_id, line.invoice_id == invoice_id)
        return (await self._session.scalars(query.order_by(line.place))).all()

    async def replace_lines(self, invoice_id: UUID, lines: Iterable[InvoiceLine]) -> None:
        """Writes the lines of a draft anew."""
        line = InvoiceLine
        gone = delete(line).where(line.tenant_id == self._tenant_id, line.invoice_id == invoice_id)
        await self._session.execute(gone)
        self._session.add_all(lines)
        await self._session.flush()


class CreditNotes:
    """The credit notes of a tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def get(self, note_id: UUID) -> CreditNote | None:
        """Answers the credit note."""
        return await self._session.get(CreditNote, (self._tenant_id, note_id))

    async def of_invoice(self, invoice_id: UUID) -> tuple[Decimal, Decimal]:
        """Answers what was credited of an invoice before tax, and the tax, paid back or not."""
        note = CreditNote
        query = select(func.coalesce(func.sum(note.subtotal), 0), func.coalesce(func.sum(note.tax), 0))
        query = query.where(note.tenant_id == self._tenant_id, note.invoice_id == invoice_id)
        subtotal, tax = (await self._session.execute(query)).one()
        return Decimal(subtotal), Decimal(tax)

    async def page(self, before: int | None, size: int) -> Sequence[CreditNote]:
        """Answers credit notes, the newest first."""
        query = select(CreditNote).where(CreditNote.tenant_id == self._tenant_id)
        if before is not None:
            query = query.where(CreditNote.number < before)
        return (await self._session.scalars(query.order_by(CreditNote.number.desc()).limit(size))).all()

    async def lines(self, note_id: UUID) -> Sequence[CreditNoteLine]:
        """Answers the lines in their order."""
        line = CreditNoteLine
        query = select(line).where(line.tenant_id == self._tenant_id, line.credit_note_id == note_id)
        return (await self._session.scalars(query.order_by(line.place))).all()


async def next_number(tx: Transaction, series: str) -> int:
    """Takes the next number of a series. Others wait until the commit; a rollback gives it back."""
    row = NumberSeries
    taken = update(row).where(row.series == series).values(last_number=row.last_number + 1)
    return (await tx.session.scalars(taken.returning(row.last_number))).one()
