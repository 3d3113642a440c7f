"""Credits whose time is over: what is left of them is taken away, and earned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from prometheus_client import Counter

from chassis.clock import Clock
from chassis.database import Database, Scope
from chassis.jobs import Job
from services.billing.store.wallets import tenants_expiring
from services.billing.wallets import wallets

_EVERY = timedelta(minutes=1)
_expired = Counter("wrtn_billing_expired_lots_total", "Lots of credits that expired with something left.")


@dataclass(frozen=True, slots=True)
class Breakage:
    """Expires credits. `worker` is the worker role's database, which lists tenants."""

    database: Database
    worker: Database
    clock: Clock

    def job(self) -> Job:
        """Answers the job. Nothing waits for it: what is past its time burns no more, and covers nothing."""
        return Job("expire-credits", _EVERY, self.run)

    async def run(self) -> None:
        """Takes what is left of every lot that is past its time."""
        now = self.clock.now()
        async with self.worker.snapshot(Scope()) as snapshot:
            tenants = await tenants_expiring(snapshot, now)
        for tenant_id in tenants:
            async with self.database.transaction(Scope.of(tenant_id)) as tx:
                _expired.inc(await wallets.expire(tx, tenant_id, now))
