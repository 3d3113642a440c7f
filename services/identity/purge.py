"""Forgets, once over all replicas, what has expired of signing in.

Used refresh tokens are kept until they would have expired, so that a second use is noticed; logins for a
month after their end.
"""

from __future__ import annotations

from datetime import timedelta

from chassis.clock import Clock
from chassis.database import Database, Scope
from chassis.jobs import Job
from services.identity.guesses import WINDOW
from services.identity.store import purge

KEPT = timedelta(days=30)
"""How long a login is kept after it has ended."""
EVERY = timedelta(hours=1)
BATCH = 500


class Purge:
    """Works member by member; whoever the worker role lists is purged by the app role under their scope."""

    def __init__(self, db: Database, worker: Database, clock: Clock) -> None:
        self._db = db
        self._worker = worker
        self._clock = clock

    def job(self) -> Job:
        """Answers the job."""
        return Job("purge-logins", EVERY, self.run)

    async def run(self) -> None:
        """Purges everything that is due now; a run that is cut short is gone on with by the next."""
        now = self._clock.now()
        async with self._db.transaction(Scope()) as tx:
            await purge.forget_common(tx, now, now - WINDOW)
        after = None
        while True:
            async with self._worker.snapshot(Scope()) as snapshot:
                members = await purge.concerned(snapshot, now, now - KEPT, after, BATCH)
            for member_id in members:
                async with self._db.transaction(Scope.of(member_id=member_id)) as tx:
                    await purge.forget(tx, member_id, now, now - KEPT)
            if len(members) < BATCH:
                return
            after = members[-1]
