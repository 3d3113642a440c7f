"""The queries of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, or_, select, tuple_, union, update

from chassis.database import Snapshot
from services.sessions.models import File, FilePiece, FileState, HistoryFile


class Files:
    """The files of a tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def add(self, row: File | FilePiece) -> None:
        """Inserts a file, or a piece of one."""
        self._session.add(row)
        await self._session.flush()

    async def get(self, session_id: UUID, file_id: UUID, *, lock: bool = False) -> File | None:
        """Answers the file of the session unless it is deleted."""
        query = select(File).where(
            File.tenant_id == self._tenant_id,
            File.id == file_id,
            File.chat_session_id == session_id,
            File.state != FileState.DELETED,
        )
        return await self._session.scalar(query.with_for_update() if lock else query)

    async def pieces(self, file_id: UUID) -> Sequence[UUID]:
        """Answers the stored pieces of a file in order."""
        query = select(FilePiece.id).where(
            FilePiece.tenant_id == self._tenant_id, FilePiece.file_id == file_id, FilePiece.size.is_not(None)
        )
        return (await self._session.scalars(query.order_by(FilePiece.start))).all()

    async def next_piece(self, after: UUID) -> FilePiece | None:
        """Answers the next stored piece of any ready file of the tenant, in the order of their ids."""
        query = (
            select(FilePiece)
            .join(File, tuple_(File.tenant_id, File.id) == tuple_(FilePiece.tenant_id, FilePiece.file_id))
            .where(
                FilePiece.tenant_id == self._tenant_id,
                FilePiece.id > after,
                FilePiece.size.is_not(None),
                File.state == FileState.READY,
            )
        )
        return await self._session.scalar(query.order_by(FilePiece.id).limit(1))

    async def all_pieces(self, file_id: UUID) -> Sequence[UUID]:
        """Answers the pieces of a file, also those that are being stored."""
        query = select(FilePiece.id).where(
            FilePiece.tenant_id == self._tenant_id, FilePiece.file_id == file_id
        )
        return (await self._session.scalars(query)).all()

    async def stored(self, piece_id: UUID, size: int) -> None:
        """Notes that a piece is stored."""
        await self._session.execute(
            update(FilePiece)
            .where(FilePiece.tenant_id == self._tenant_id, FilePiece.id == piece_id)
            .values(size=size)
        )

    async def forget_piece(self, piece_id: UUID) -> None:
        """Forgets a piece whose blob is gone."""
        await self._session.execute(
            delete(FilePiece).where(FilePiece.tenant_id == self._tenant_id, FilePiece.id == piece_id)
        )

    async def delete(self, *which: Any) -> None:
        """Deletes these files; what is kept of them is to be cleared."""
        await self._session.execute(
            update(File)
            .where(File.tenant_id == self._tenant_id, File.state != FileState.DELETED, *which)
            .values(state=FileState.DELETED, display_name=None, sha256=None)
            .execution_options(synchronize_session=False)
        )

    async def delete_unfinished(self, before: datetime) -> None:
        """Deletes files that were declared before that moment and are not complete."""
        await self.delete(File.state == FileState.UPLOADING, File.create_time < before)

    async def to_clear(self, session_id: UUID | None, count: int) -> Sequence[UUID]:
        """Answers deleted files, of the session if one is named, of which something is left."""
        query = select(File.id).where(
            File.tenant_id == self._tenant_id, File.state == FileState.DELETED, ~File.cleared
        )
        if session_id is not None:
            query = query.where(File.chat_session_id == session_id)
        return (await self._session.scalars(query.limit(count))).all()

    async def cleared(self, file_id: UUID) -> None:
        """Notes that nothing is left of a deleted file."""
        await self._session.execute(
            update(File).where(File.tenant_id == self._tenant_id, File.id == file_id).values(cleared=True)
        )

    async def unstored_pieces(self, before: datetime, count: int) -> Sequence[UUID]:
        """Answers pieces that were begun before that moment, and never stored."""
        query = select(FilePiece.id).where(
            FilePiece.tenant_id == self._tenant_id, FilePiece.size.is_(None), FilePiece.create_time < before
        )
        return (await self._session.scalars(query.limit(count))).all()

    async def of_histories(self, history_ids: Sequence[UUID]) -> Mapping[UUID, Sequence[str]]:
        """Answers the ids of what is attached to each of these histories, in order."""
        query = (
            select(HistoryFile.history_id, HistoryFile.file_id)
            .where(HistoryFile.tenant_id == self._tenant_id, HistoryFile.history_id.in_(history_ids))
            .order_by(HistoryFile.history_id, HistoryFile.sequence)
        )
        found: dict[UUID, list[str]] = {}
        for history_id, file_id in await self._session.execute(query):
            found.setdefault(history_id, []).append(str(file_id))
        return found


async def tenants_with_files_to_clear(
    worker: Snapshot, before: datetime, after: UUID, count: int
) -> Sequence[UUID]:
    """Answers the next tenants with deleted or unfinished files, or lost pieces. The worker role's."""
    files = select(File.tenant_id).where(
        File.state != FileState.READY,
        ~File.cleared,
        or_(File.state == FileState.DELETED, File.create_time < before),
        File.tenant_id > after,
    )
    pieces = select(FilePiece.tenant_id).where(
        FilePiece.size.is_(None), FilePiece.create_time < before, FilePiece.tenant_id > after
    )
    found = union(files, pieces).subquery()
    return (await worker.session.scalars(select(found.c.tenant_id).order_by("tenant_id").limit(count))).all()
