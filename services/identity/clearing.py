"""Deletes what nobody needs any more: members who never verified, expired tokens, and mails."""

from __future__ import annotations

from datetime import timedelta

from chassis.crypto import Keyring
from chassis.database import Database, Scope
from chassis.jobs import Job
from services.identity.store import clearing

EVERY = timedelta(minutes=10)
UNVERIFIED = timedelta(days=7)
"""How long a member may take to verify the first address; the token itself expires earlier."""
SENT = timedelta(days=7)
KEPT = timedelta(days=30)
"""How long a mail is kept that was not sent: refused ones for an operator, others to be tried again."""
BATCH = 200


class Clearing:
    """Deletes in batches, each member's rows in a transaction of their own. `worker` lists whose are due."""

    def __init__(self, db: Database, worker: Database, keyring: Keyring) -> None:
        self._db = db
        self._worker = worker
        self._keyring = keyring

    def job(self) -> Job:
        """Answers the job that clears every so often, once across replicas."""
        return Job("clear-unneeded", EVERY, self.run)

    async def run(self) -> None:
        """Deletes whatever is due, batch by batch."""
        for batch in (self._members, self._tokens, self._mails):
            while await batch() == BATCH:
                pass

    async def _members(self) -> int:
        async with self._worker.snapshot(Scope()) as worker:
            due = await clearing.never_verified(worker, worker.now - UNVERIFIED, BATCH)
        for member_id in due:
            async with self._db.transaction(Scope.of(member_id=member_id)) as tx:
                if await clearing.delete_pending(tx, member_id):
                    await self._keyring.destroy(tx, member_id)
        return len(due)

    async def _tokens(self) -> int:
        async with self._worker.snapshot(Scope()) as worker:
            due = await clearing.with_expired_tokens(worker, worker.now, BATCH)
        for member_id in due:
            async with self._db.transaction(Scope.of(member_id=member_id)) as tx:
                await clearing.delete_tokens(tx, member_id, tx.now)
        return len(due)

    async def _mails(self) -> int:
        async with self._db.transaction(Scope()) as tx:
            return await clearing.delete_mails(tx, tx.now - SENT, tx.now - KEPT, BATCH)
