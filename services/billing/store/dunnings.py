"""The queries on dunning, bound to one tenant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot
from services.billing.models import Dunning, Invoice, PaymentStanding
from wrtn.billing.v1.invoices_pb2 import Invoice as Wire


class Dunnings:
    """The dunning of a tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def unnoticed(self, now: datetime) -> Sequence[Invoice]:
        """Answers invoices past due that nobody is dunned for yet."""
        dunned = select(Dunning.invoice_id).where(
            Dunning.tenant_id == self._tenant_id, Dunning.invoice_id == Invoice.id
        )
        query = select(Invoice).where(
            Invoice.tenant_id == self._tenant_id,
            Invoice.state == Wire.STATE_OPEN,
            Invoice.due_time <= now,
            ~exists(dunned),
        )
        return (await self._session.scalars(query)).all()

    async def begin(self, invoice: Invoice, next_time: datetime, now: datetime) -> None:
        """Begins to dun for an invoice; one that has begun stays as it is."""
        row = {
            "tenant_id": self._tenant_id,
            "invoice_id": invoice.id,
            "steps": 0,
            "due_time": invoice.due_time,
            "next_time": next_time,
            "overdue": False,
            "create_time": now,
        }
        await self._session.execute(insert(Dunning).values(row).on_conflict_do_nothing())

    async def restart(self, invoice: Invoice, next_time: datetime | None, now: datetime) -> None:
        """Duns for an invoice from its first step on, as if it were due now."""
        row = {"steps": 0, "due_time": now, "next_time": next_time, "overdue": False, "end_time": None}
        key = {"tenant_id": self._tenant_id, "invoice_id": invoice.id, "create_time": now}
        begun = insert(Dunning).values(key | row)
        await self._session.execute(
            begun.on_conflict_do_update(index_elements=["tenant_id", "invoice_id"], set_=row)
        )

    async def to_look_at(self, now: datetime) -> Sequence[UUID]:
        """Answers the invoices with a step that is due, or that are not to be paid any more."""
        query = (
            select(Dunning.invoice_id)
            .join(Invoice, (Invoice.tenant_id == Dunning.tenant_id) & (Invoice.id == Dunning.invoice_id))
            .where(
                Dunning.tenant_id == self._tenant_id,
                Dunning.end_time.is_(None),
                (Dunning.next_time <= now) | (Invoice.state != Wire.STATE_OPEN),
            )
        )
        return (await self._session.scalars(query.order_by(Dunning.due_time))).all()

    async def running(self, invoice_id: UUID) -> Dunning | None:
        """Answers the dunning of an invoice, locked, if it has not ended."""
        row = await self._session.get(
            Dunning, (self._tenant_id, invoice_id), with_for_update=True, populate_existing=True
        )
        return row if row is not None and row.end_time is None else None

    async def overdue(self) -> UUID | None:
        """Answers an invoice whose grace is over, if there is one."""
        query = select(Dunning.invoice_id).where(
            Dunning.tenant_id == self._tenant_id, Dunning.end_time.is_(None), Dunning.overdue.is_(True)
        )
        return await self._session.scalar(query.order_by(Dunning.due_time).limit(1))

    async def standing(self) -> PaymentStanding:
        """Answers what others were told, locked; at first that the tenant pays."""
        row = {"tenant_id": self._tenant_id, "overdue": False, "version": 0}
        await self._session.execute(insert(PaymentStanding).values(row).on_conflict_do_nothing())
        found = await self._session.get(
            PaymentStanding, self._tenant_id, with_for_update=True, populate_existing=True
        )
        if found is None:
            raise LookupError("a standing does not go")
        return found


async def tenants_to_dun(tx: Snapshot, now: datetime) -> Sequence[UUID]:
    """Answers the tenants with invoices past due, or whose dunning has not ended. For the worker role."""
    late = select(Invoice.tenant_id).where(Invoice.state == Wire.STATE_OPEN, Invoice.due_time <= now)
    running = select(Dunning.tenant_id).where(Dunning.end_time.is_(None))
    return (await tx.session.scalars(late.union(running))).all()
