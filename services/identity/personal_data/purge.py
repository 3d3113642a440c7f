"""Forgets, once over all replicas, what nobody needs any more: what has expired, and who has never verified.

Used refresh tokens are kept until they would have expired, so that a second use is noticed; logins for a
month after their end.
"""

from __future__ import annotations

from datetime import timedelta

from chassis.clock import Clock
from chassis.crypto import Keyring
from chassis.database import Database, Scope
from chassis.jobs import Job
from services.identity.sign_in.guesses import WINDOW
from services.identity.store import purge

LOGIN_KEPT = timedelta(days=30)
"""How long a login is kept after it has ended."""
UNVERIFIED = timedelta(days=7)
"""How long a member may take to verify the first address; the token itself expires earlier."""
SENT_KEPT = timedelta(days=7)
"""How long a mail is kept after it was sent."""
MAIL_KEPT = timedelta(days=30)
"""How long a mail is kept that was not sent: refused ones for an operator, others to be tried again."""
EVERY = timedelta(hours=1)
BATCH = 500


class Purge:
    """Works member by member; whoever the worker role lists is purged by the app role under their scope."""

    def __init__(self, db: Database, worker: Database, keyring: Keyring, clock: Clock) -> None:
        self._db = db
        self._worker = worker
        self._keyring = keyring
        self._clock = clock

    def job(self) -> Job:
        """Answers the job."""
        return Job("purge", EVERY, self.run)

    async def run(self) -> None:
        """Purges everything that is due now; a run that is cut short is gone on with by the next."""
        async with self._db.transaction(Scope()) as tx:
            await purge.forget_common(tx, self._clock.now(), self._clock.now() - WINDOW)
        for batch in (self._never_verified, self._mails):
            while await batch() == BATCH:
                pass
        await self._expired()

    async def _never_verified(self) -> int:
        before = self._clock.now() - UNVERIFIED
        async with self._worker.snapshot(Scope()) as worker:
            due = await purge.never_verified(worker, before, BATCH)
        for member_id in due:
            async with self._db.transaction(Scope.of(member_id=member_id)) as tx:
                if await purge.delete_pending(tx, member_id):
                    await self._keyring.destroy(tx, member_id)
        return len(due)

    async def _mails(self) -> int:
        now = self._clock.now()
        async with self._db.transaction(Scope()) as tx:
            return await purge.delete_mails(tx, now - SENT_KEPT, now - MAIL_KEPT, BATCH)

    async def _expired(self) -> None:
        now, after = self._clock.now(), None
        while True:
            async with self._worker.snapshot(Scope()) as worker:
                members = await purge.concerned(worker, now, now - LOGIN_KEPT, after, BATCH)
            for member_id in members:
                async with self._db.transaction(Scope.of(member_id=member_id)) as tx:
                    await purge.forget(tx, member_id, now, now - LOGIN_KEPT)
            if len(members) < BATCH:
                return
            after = members[-1]
