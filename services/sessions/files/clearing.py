"""Clears away the blobs of deleted files, unfinished uploads, and pieces that were never stored."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import structlog

from chassis.blobs import Blobs
from chassis.database import Database, Scope
from chassis.errors import Unavailable
from chassis.jobs import Job
from services.sessions.models import File
from services.sessions.store import Files, tenants_with_files_to_clear

EVERY = timedelta(minutes=10)
UNFINISHED = timedelta(days=1)
"""How long an upload may take from its declaration."""
_TENANTS = 200
_FILES = 100

_log = structlog.get_logger(__name__)


class Clearing:
    """Deletes blobs first and then what says that they exist, so that repeating it loses none."""

    def __init__(self, db: Database, worker: Database, blobs: Blobs) -> None:
        self._db = db
        self._worker = worker
        self._blobs = blobs

    def job(self) -> Job:
        """Answers the job, run once across replicas."""
        return Job("clear-files", EVERY, self.run)

    async def run(self) -> None:
        """Clears whatever is due, tenant by tenant; where the blobs are away, the next run tries again."""
        after = UUID(int=0)
        while True:
            async with self._worker.snapshot(Scope()) as worker:
                before = worker.now - UNFINISHED
                tenants = await tenants_with_files_to_clear(worker, before, after, _TENANTS)
            for tenant_id in tenants:
                try:
                    await self._tenant(tenant_id)
                except Unavailable as error:
                    _log.warning("files are cleared later", tenant=tenant_id, exc_info=error)
            if len(tenants) < _TENANTS:
                return
            after = tenants[-1]

    async def session(self, tenant_id: UUID, session_id: UUID) -> None:
        """Deletes all files of a session, blobs and all."""
        async with self._db.transaction(Scope.of(tenant_id)) as tx:
            await Files(tx, tenant_id).delete(File.chat_session_id == session_id)
        await self._deleted(tenant_id, session_id)

    async def file(self, tenant_id: UUID, file_id: UUID) -> None:
        """Clears a deleted file away."""
        async with self._db.snapshot(Scope.of(tenant_id)) as tx:
            pieces = await Files(tx, tenant_id).all_pieces(file_id)
        for each in pieces:
            await self.piece(tenant_id, each)
        async with self._db.transaction(Scope.of(tenant_id)) as tx:
            await Files(tx, tenant_id).cleared(file_id)

    async def piece(self, tenant_id: UUID, piece_id: UUID) -> None:
        """Clears a piece away."""
        await self._blobs.delete(blob_of(tenant_id, piece_id))
        async with self._db.transaction(Scope.of(tenant_id)) as tx:
            await Files(tx, tenant_id).forget_piece(piece_id)

    async def _tenant(self, tenant_id: UUID) -> None:
        async with self._db.transaction(Scope.of(tenant_id)) as tx:
            before = tx.now - UNFINISHED
            await Files(tx, tenant_id).delete_unfinished(before)
        await self._deleted(tenant_id, None)
        while True:
            async with self._db.snapshot(Scope.of(tenant_id)) as tx:
                lost = await Files(tx, tenant_id).unstored_pieces(before, _FILES)
            for each in lost:
                await self.piece(tenant_id, each)
            if len(lost) < _FILES:
                return

    async def _deleted(self, tenant_id: UUID, session_id: UUID | None) -> None:
        while True:
            async with self._db.snapshot(Scope.of(tenant_id)) as tx:
                found = await Files(tx, tenant_id).to_clear(session_id, _FILES)
            for each in found:
                await self.file(tenant_id, each)
            if len(found) < _FILES:
                return


def blob_of(tenant_id: UUID, piece_id: UUID) -> str:
    """Answers the name of the blob of a piece."""
    return f"files/{tenant_id}/{piece_id}"
