"""Looking at the card provider's list of disputes, for those of which no event came, or none of the end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import structlog

from chassis.clock import Clock
from chassis.database import Database, Scope
from chassis.errors import DomainError
from chassis.jobs import Job
from services.billing.payments.disputes import Disputing
from services.billing.payments.providers import ProviderSilent
from services.billing.payments.stripe.cards import Cards
from services.billing.store.payments import Disputes, tenants_contested

_EVERY = timedelta(hours=6)
_BACK = timedelta(days=14)
"""How old a dispute may be that is found by its beginning: Stripe sends its event for three days."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DisputeWatch:
    """Asks for disputes. `worker` is the worker role's database, which lists tenants."""

    database: Database
    worker: Database
    clock: Clock
    cards: Cards
    disputing: Disputing

    def job(self) -> Job:
        """Answers the job."""
        return Job("watch-disputes", _EVERY, self.run)

    async def run(self) -> None:
        """Notes how each dispute stands that is new, or was not decided when it was looked at last."""
        try:
            begun = await self.cards.disputes_since(self.clock.now() - _BACK)
        except ProviderSilent as silent:
            _log.warning("disputes_unknown", reason=silent.reason)
            return
        for dispute_id in sorted({*begun, *await self._undecided()}):
            try:
                await self.disputing.advance(dispute_id)
            except (ProviderSilent, DomainError) as error:
                _log.warning("dispute_unknown", dispute_id=dispute_id, reason=error.reason)

    async def _undecided(self) -> list[str]:
        async with self.worker.snapshot(Scope()) as snapshot:
            tenants = await tenants_contested(snapshot)
        found: list[str] = []
        for tenant_id in tenants:
            async with self.database.snapshot(Scope.of(tenant_id)) as snapshot:
                found += await Disputes(snapshot, tenant_id).undecided()
        return found
