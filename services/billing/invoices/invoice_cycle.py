"""The invoices of each month, drafted as it ends and finalised an hour later; subscriptions turned by time.

A period is a month by the calendar of the enterprise's time zone. It begins where the one before ended, also
where the zone was changed meanwhile: the new one counts from the next end on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog

from chassis.clock import Clock
from chassis.database import Database, Scope, Snapshot, Transaction
from chassis.errors import DomainError
from chassis.jobs import Job
from services.billing.invoices import finalizing
from services.billing.invoices.drafting import Drafter
from services.billing.invoices.team_names import TeamNames
from services.billing.models import Invoice
from services.billing.periods import BEGINNING, Span, span
from services.billing.plans import included, subscriptions
from services.billing.store.billed import Billed, Closings, lock_closing
from services.billing.store.customers import Customer, enterprises
from services.billing.store.invoices import Invoices
from services.billing.store.subscriptions import tenants_turning
from wrtn.billing.v1.budgets_pb2 import BUDGET_PERIOD_MONTH

GRACE = timedelta(hours=1)
"""For how long after the end of a month its last usage is waited for."""
_EVERY = timedelta(minutes=5)
_TIME_LIMIT = 120.0
# Zones lie at most 26 hours apart: two days after any month's end it is the next month in all of them.
_SURELY_NEXT = timedelta(days=2)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class InvoiceCycle:
    """Draws up and finalises invoices. `worker` is the worker role's database, which lists tenants."""

    database: Database
    worker: Database
    clock: Clock
    drafter: Drafter
    names: TeamNames

    def job(self) -> Job:
        """Answers the job."""
        return Job("invoices", _EVERY, self.run)

    async def run(self) -> None:
        """Does for each enterprise what is due. One that fails waits for the next run, and stops no other."""
        async with self.worker.snapshot(Scope()) as snapshot:
            turning = await tenants_turning(snapshot, self.clock.now())
            tenants = await enterprises(snapshot)
        for tenant_id in {*turning, *tenants}:
            try:
                await self._catch_up(tenant_id, turning=tenant_id in turning)
            except DomainError as error:
                _log.error("invoices.failed", tenant_id=str(tenant_id), exc_info=error)

    async def _catch_up(self, tenant_id: UUID, *, turning: bool) -> None:
        async with self.database.snapshot(Scope.of(tenant_id)) as snapshot:
            due = turning or await _due(snapshot, tenant_id)
            credited = await included.due(snapshot, tenant_id) is None
        drafter = await self.names.known_to(self.drafter, tenant_id) if due else self.drafter
        while due:
            async with self.database.transaction(Scope.of(tenant_id), time_limit=_TIME_LIMIT) as tx:
                await subscriptions.bring_up_to_date(tx, tenant_id)
                due = await self._step(tx, drafter, tenant_id)
        if not credited:
            async with self.database.transaction(Scope.of(tenant_id)) as tx:
                await included.give(tx, tenant_id)

    async def _step(self, tx: Transaction, drafter: Drafter, tenant_id: UUID) -> bool:
        """Does the next thing that is due; says whether there was one."""
        drafts = await Invoices(tx, tenant_id).drafts()
        if drafts and drafts[0].end_time + GRACE <= tx.now:
            await finalizing.finalize(tx, drafter, tenant_id, drafts[0].id)
            return True
        period = await next_period(tx, tenant_id, drafts[-1] if drafts else None)
        if period is None:
            return await _begin(tx, tenant_id)
        if period.end is None or period.end > tx.now:
            return False
        drawn = await drafter.draw(tx, tenant_id, period.start, period.end)
        if drawn.lines:
            await finalizing.draft(tx, tenant_id, period, drawn)
            return True
        return await self._pass_over(tx, tenant_id, period.start, period.end)

    async def _pass_over(self, tx: Transaction, tenant_id: UUID, start: datetime, end: datetime) -> bool:
        """Closes a period without anything to invoice, once nothing of it is waited for any more."""
        if end + GRACE > tx.now:
            return False
        closing = await lock_closing(tx, tenant_id)
        # Behind the lock, where no usage comes any more: what came meanwhile makes an invoice.
        if not (await self.drafter.draw(tx, tenant_id, start, end)).lines:
            closing.end_time = end
        return True


async def next_period(tx: Snapshot, tenant_id: UUID, draft: Invoice | None) -> Span | None:
    """Answers the period after the last draft, or after what is closed; None before the first."""
    start = draft.end_time if draft is not None else (await Closings(tx, tenant_id).get()).end_time
    if start == BEGINNING:
        return None
    zone = ZoneInfo(await Customer(tx, tenant_id).time_zone())
    return Span(start, span(BUDGET_PERIOD_MONTH, zone, start + _SURELY_NEXT).end)


async def first_period(tx: Snapshot, tenant_id: UUID) -> Span | None:
    """Answers the month in which the tenant first used or subscribed to anything; None if it never did."""
    first = await Billed(tx, tenant_id).first_time()
    if first is None:
        return None
    zone = ZoneInfo(await Customer(tx, tenant_id).time_zone())
    return span(BUDGET_PERIOD_MONTH, zone, first)


async def running_period(tx: Snapshot, tenant_id: UUID) -> Span:
    """Answers the period that is not drafted yet; the month around now for who has none."""
    drafts = await Invoices(tx, tenant_id).drafts()
    period = await next_period(tx, tenant_id, drafts[-1] if drafts else None)
    if period is None:
        period = await first_period(tx, tenant_id)
    zone = ZoneInfo(await Customer(tx, tenant_id).time_zone())
    return period or span(BUDGET_PERIOD_MONTH, zone, tx.now)


async def _due(tx: Snapshot, tenant_id: UUID) -> bool:
    """Whether a transaction is worth it."""
    drafts = await Invoices(tx, tenant_id).drafts()
    if drafts:
        return True
    period = await next_period(tx, tenant_id, None) or await first_period(tx, tenant_id)
    return period is not None and period.end is not None and period.end <= tx.now


async def _begin(tx: Transaction, tenant_id: UUID) -> bool:
    """Opens the first period. Usage of before that comes from now on is in it, as late."""
    closing = await lock_closing(tx, tenant_id)
    first = await first_period(tx, tenant_id)
    if first is None:
        return False
    closing.end_time = first.start
    return True
