"""The queries on invoices, credit notes and their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot, Transaction
from services.billing.models import Closing, CreditNote, CreditNoteLine, Invoice, InvoiceLine, NumberSeries
from services.billing.periods import BEGINNING
from wrtn.billing.v1.invoices_pb2 import Invoice as Wire


class Invoices:
    """The invoices of a tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def get(self, invoice_id: UUID) -> Invoice | None:
        """Answers the invoice."""
        return await self._session.get(Invoice, (self._tenant_id, invoice_id))

    async def lock(self, invoice_id: UUID) -> Invoice | None:
        """Answers the invoice as it stands, and lets nobody else change it until the commit."""
        key = (self._tenant_id, invoice_id)
        return await self._session.get(Invoice, key, with_for_update=True, populate_existing=True)

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

    async def page(self, before: datetime | None, size: int) -> Sequence[Invoice]:
        """Answers invoices by period, the newest first; those withdrawn stand beside what replaced them."""
        query = select(Invoice).where(Invoice.tenant_id == self._tenant_id)
        if before is not None:
            query = query.where(Invoice.create_time < before)
        return (await self._session.scalars(query.order_by(Invoice.create_time.desc()).limit(size))).all()

    async def of_period(self, start: datetime) -> Invoice | None:
        """Answers the invoice of the period that begins then, unless it is withdrawn."""
        query = select(Invoice).where(
            Invoice.tenant_id == self._tenant_id,
            Invoice.start_time == start,
            Invoice.state != Wire.STATE_VOID,
        )
        return await self._session.scalar(query.with_for_update())

    async def latest(self) -> Invoice | None:
        """Answers the invoice of the newest period, unless it is withdrawn."""
        query = select(Invoice).where(Invoice.tenant_id == self._tenant_id, Invoice.state != Wire.STATE_VOID)
        return await self._session.scalar(query.order_by(Invoice.end_time.desc()).limit(1))

    async def drafts(self) -> Sequence[Invoice]:
        """Answers the drafts, the oldest period first."""
        query = select(Invoice).where(Invoice.tenant_id == self._tenant_id, Invoice.state == Wire.STATE_DRAFT)
        return (await self._session.scalars(query.order_by(Invoice.start_time))).all()

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

    async def close(self, end: datetime) -> None:
        """Closes the usage until `end`: waits for what is being rated; what comes later is late."""
        opened = insert(Closing).values(tenant_id=self._tenant_id, end_time=BEGINNING)
        await self._session.execute(opened.on_conflict_do_nothing())
        mine = update(Closing).where(Closing.tenant_id == self._tenant_id, Closing.end_time < end)
        await self._session.execute(mine.values(end_time=end))


class CreditNotes:
    """The credit notes of a tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def get(self, note_id: UUID) -> CreditNote | None:
        """Answers the credit note."""
        return await self._session.get(CreditNote, (self._tenant_id, note_id))

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
