"""The purge: titles, bodies, origins and files of sessions whose time is over are destroyed, bit by bit.

A session passes it in steps, each of a transaction of its own: it begins, and nothing brings it back; its
bodies are emptied, some at a time, and its files deleted; it is done, and told. Killed anywhere, the next run
goes on. Metadata, counts and attributions stay: costs refer to them.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import structlog

from chassis.database import Database, Scope, Transaction
from chassis.errors import Unavailable
from chassis.jobs import Job
from services.sessions import events, retentions
from services.sessions.files.clearing import Clearing
from services.sessions.models import Session
from services.sessions.store import Connections, Purges, Tickets, tenants_to_purge

EVERY = timedelta(minutes=10)
_TENANTS = 200
_SESSIONS = 50
_BODIES = 500

_log = structlog.get_logger(__name__)


class Purging:
    """Purges tenant by tenant. `worker` lists the tenants with something to do."""

    def __init__(self, db: Database, worker: Database, clearing: Clearing) -> None:
        self._db = db
        self._worker = worker
        self._clearing = clearing

    def job(self) -> Job:
        """Answers the job, run once across replicas."""
        return Job("purge-sessions", EVERY, self.run)

    async def run(self) -> None:
        """Purges whatever is due. A tenant whose files cannot be deleted now is left to the next run."""
        after = UUID(int=0)
        while True:
            async with self._worker.snapshot(Scope()) as worker:
                tenants = await tenants_to_purge(worker, after, _TENANTS)
            for tenant_id in tenants:
                try:
                    await self._tenant(tenant_id)
                except Unavailable as error:
                    _log.warning("a purge is put off", tenant=tenant_id, exc_info=error)
            if len(tenants) < _TENANTS:
                return
            after = tenants[-1]

    async def _tenant(self, tenant_id: UUID) -> None:
        while await self._begin(tenant_id):
            pass
        while begun := await self._begun(tenant_id):
            for session_id in begun:
                await self._empty(tenant_id, session_id)

    async def _begin(self, tenant_id: UUID) -> int:
        async with self._db.transaction(Scope.of(tenant_id)) as tx:
            purges = Purges(tx, tenant_id)
            await purges.exclude_holds()
            time = await retentions.kept(tx, tenant_id)
            rows = await purges.due(time.idle, time.deleted, _SESSIONS)
            for row in rows:
                await _begin(tx, row)
            return len(rows)

    async def _begun(self, tenant_id: UUID) -> list[UUID]:
        async with self._db.transaction(Scope.of(tenant_id)) as tx:
            return [row.id for row in await Purges(tx, tenant_id).begun(_SESSIONS)]

    async def _empty(self, tenant_id: UUID, session_id: UUID) -> None:
        while True:
            async with self._db.transaction(Scope.of(tenant_id)) as tx:
                if await Purges(tx, tenant_id).empty_bodies(session_id, _BODIES) < _BODIES:
                    break
        await self._clearing.session(tenant_id, session_id)
        async with self._db.transaction(Scope.of(tenant_id)) as tx:
            await Purges(tx, tenant_id).forget_origins(session_id)
            session = await Connections(tx, tenant_id).session_of(session_id, lock=True)
            if session is not None and not session.purged:
                session.purged = True
                events.purged(tx, session)


async def _begin(tx: Transaction, row: Session) -> None:
    """Takes the session away from everybody, if it was not deleted before."""
    if row.delete_time is None:
        row.delete_time = tx.now
        await Tickets(tx, row.tenant_id).drop(row.id)
        await Connections(tx, row.tenant_id).close_unary(row.id, tx.now)
        events.deleted(tx, row)
    row.purge_time = tx.now
    row.title = None
