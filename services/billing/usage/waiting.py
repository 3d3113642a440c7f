"""Usages that came before their enterprise: dead letters that are replayed as soon as it is known.

The consumer does not wait for longer: a usage that it has not acknowledged would keep every tenant's
reservations from expiring.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import structlog

from chassis.database import Database, Scope
from chassis.events import dead_letters
from chassis.jobs import Job
from services.billing.consumers import USAGES
from services.billing.store.waiting import waiting_for_known_enterprises

_EVERY = timedelta(seconds=15)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WaitingUsages:
    """Replays them. `worker` is the worker role's database, which keeps dead letters."""

    worker: Database

    def job(self) -> Job:
        """Answers the job."""
        return Job("replay-usages", _EVERY, self.run)

    async def run(self) -> None:
        """Asks for those to be rated whose enterprise is known by now; the consumer does it, each once."""
        async with self.worker.transaction(Scope()) as tx:
            driver = await tx.driver()
            found = await waiting_for_known_enterprises(driver, USAGES)
            if found:
                await dead_letters.replay(driver, USAGES, found)
                _log.info("usages.replayed", count=len(found))
