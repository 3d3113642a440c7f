"""Reconciliation: whatever adds up the same usages must come to the same sum, to the last decimal.

It looks every few hours, whatever the code believes; what it finds broken is never mended by itself. Usages
of a month or invoice that is over are not summed again while what is said of them stays, but for one in turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge

from chassis.database import Database, Scope
from chassis.decimals import text
from chassis.jobs import Job
from services.billing.store.corrections import tenants_charged
from services.billing.store.reconciling import Books, Differences, keep
from wrtn.billing.v1.events_pb2 import BooksDisagreed

_EVERY = timedelta(hours=6)
_PAGE = 100
_AGAIN = timedelta(days=1)
"""After which the same difference is told again."""

_log = structlog.get_logger(__name__)
_disagreed = Gauge(
    "wrtn_billing_books_disagreed", "Tenants whose books disagreed when they were last compared."
)
_reconciled = Counter("wrtn_billing_reconciled_tenants_total", "Tenants whose books were compared.")


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Compares the books. `worker` is the worker role's database, which lists tenants."""

    database: Database
    worker: Database

    def job(self) -> Job:
        """Answers the job."""
        return Job("reconcile", _EVERY, self.run)

    async def run(self) -> None:
        """Compares the books of every tenant, and tells of those that disagree."""
        after, broken = UUID(int=0), 0
        while True:
            async with self.worker.snapshot(Scope()) as snapshot:
                found = await tenants_charged(snapshot, after, _PAGE)
            for after in found:
                broken += not await self._agree(after)
            if len(found) < _PAGE:
                break
        _disagreed.set(broken)

    async def _agree(self, tenant_id: UUID) -> bool:
        """Compares the books of a tenant at one moment."""
        async with self.database.snapshot(Scope.of(tenant_id)) as snapshot:
            books = Books(snapshot, tenant_id)
            sums = await books.sums()
            told = await Differences(snapshot, tenant_id).standing()
        _reconciled.inc()
        if len({*sums.values()}) > 1:
            await self._tell(tenant_id, sums)
            return False
        if books.checked or told:
            async with self.database.transaction(Scope.of(tenant_id)) as tx:
                await keep(tx, tenant_id, books.checked)
                await Differences(tx, tenant_id).mended()
        return True

    async def _tell(self, tenant_id: UUID, books: Mapping[str, Decimal]) -> None:
        sums = {name: text(amount) for name, amount in books.items()}
        _log.error("books.disagree", tenant_id=str(tenant_id), **sums)
        # Both sides grow with every usage: what stays the same while nothing else breaks is the difference.
        off = {
            name: text(amount - books["ledger"])
            for name, amount in books.items()
            if amount != books["ledger"]
        }
        async with self.database.transaction(Scope.of(tenant_id)) as tx:
            if await Differences(tx, tenant_id).tell(off, tx.now, _AGAIN):
                tx.publish(BooksDisagreed(sums=sums), aggregate_id=tenant_id)
