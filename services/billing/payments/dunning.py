"""Dunning: who has not paid in time is reminded, and their card charged again; after a grace others are told.

Each step happens once, in one transaction behind the locks of invoice and dunning, never earlier than its day
and never two within a day: after an outage too, nobody is told of as overdue without the reminders before.
Billing only says so: what it means for an enterprise is enterprise's to decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog

from chassis.database import Database, Scope, Transaction
from chassis.decimals import text
from chassis.errors import DomainError
from chassis.jobs import Job
from services.billing import letters
from services.billing.invoices.numbers import numbered
from services.billing.models import Dunning, Invoice
from services.billing.payments import payments, standings
from services.billing.payments.schedule import Schedule
from services.billing.store.customers import Customer
from services.billing.store.dunnings import Dunnings, tenants_to_dun
from services.billing.store.invoices import Invoices
from wrtn.billing.v1.invoices_pb2 import Invoice as Wire

_EVERY = timedelta(seconds=30)

_log = structlog.get_logger(__name__)


async def restart(tx: Transaction, invoice: Invoice, schedule: Schedule) -> None:
    """Duns for an invoice that is owed again, with all its grace from now on."""
    zone = ZoneInfo(await Customer(tx, invoice.tenant_id).time_zone())
    first = schedule.time_of(0, tx.now, zone)
    await Dunnings(tx, invoice.tenant_id).restart(invoice, first, tx.now)


@dataclass(frozen=True, slots=True)
class Dun:
    """Duns. `worker` is the worker role's database, which lists tenants; without `cards` none is charged."""

    database: Database
    worker: Database
    cards: bool
    schedule: Schedule

    def job(self) -> Job:
        """Answers the job."""
        return Job("dunning", _EVERY, self.run)

    async def run(self) -> None:
        """Takes every step that is due, and ends what is paid."""
        async with self.worker.snapshot(Scope()) as snapshot:
            tenant_ids = await tenants_to_dun(snapshot, snapshot.now)
        for tenant_id in tenant_ids:
            try:
                await self._run(tenant_id)
            except DomainError as error:
                _log.warning("dunning_waits", tenant_id=str(tenant_id), reason=error.reason)

    async def _run(self, tenant_id: UUID) -> None:
        async with self.database.transaction(Scope.of(tenant_id)) as tx:
            zone = ZoneInfo(await Customer(tx, tenant_id).time_zone())
            dunnings = Dunnings(tx, tenant_id)
            for invoice in await dunnings.unnoticed(tx.now):
                first = self.schedule.time_of(0, invoice.due_time or tx.now, zone)
                await dunnings.begin(invoice, first or tx.now, tx.now)
            waiting = await dunnings.to_look_at(tx.now)
        for invoice_id in waiting:
            async with self.database.transaction(Scope.of(tenant_id)) as tx:
                await self._step(tx, tenant_id, invoice_id, zone)

    async def _step(self, tx: Transaction, tenant_id: UUID, invoice_id: UUID, zone: ZoneInfo) -> None:
        """Takes the next step of an invoice, unless another replica has; ends the dunning of a paid one."""
        invoice = await Invoices(tx, tenant_id).lock(invoice_id)
        row = await Dunnings(tx, tenant_id).running(invoice_id)
        if invoice is None or row is None:
            return
        if invoice.state != Wire.STATE_OPEN:
            row.end_time, row.next_time = tx.now, None
        elif row.next_time is not None and row.next_time <= tx.now:
            await self._take(tx, invoice, row, zone)
        await standings.tell(tx, tenant_id)

    async def _take(self, tx: Transaction, invoice: Invoice, row: Dunning, zone: ZoneInfo) -> None:
        """Takes the next step, if the schedule still has one."""
        schedule, day = self.schedule, next(iter(self.schedule.days[row.steps :]), None)
        row.steps += 1
        row.next_time = schedule.time_of(row.steps, row.due_time, zone, tx.now)
        if day is not None:
            row.overdue = row.overdue or day >= schedule.overdue_day
            await _remind(tx, invoice, day, overdue=day == schedule.overdue_day)
            await self._charge(tx, invoice)

    async def _charge(self, tx: Transaction, invoice: Invoice) -> None:
        """Has the default card be charged again, if there is one and no payment is under way."""
        if not self.cards:
            return
        try:
            await payments.begin(tx, invoice.tenant_id, invoice_id=invoice.id, automatic=True)
        except DomainError as error:
            _log.info("dunning_charges_nothing", invoice_id=str(invoice.id), reason=error.reason)


async def _remind(tx: Transaction, invoice: Invoice, day: int, *, overdue: bool) -> None:
    fills = {
        "number": numbered("INV", invoice.number),
        "amount": f"{text(invoice.due)} {invoice.currency}",
        "days": str(day),
    }
    template = "payment_overdue" if overdue else "payment_reminder"
    await letters.write_to_payers(tx, invoice.tenant_id, template, fills)
