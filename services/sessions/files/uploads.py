"""A file on its way in: declared, received in pieces, and complete once it is what was declared.

A piece is noted before it is put, so that a crash leaves nothing that nobody knows of; it counts once the
note says that it is stored. Of two who send the same bytes at once one goes on; the other learns where to.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from uuid import UUID

from chassis.blobs import Blobs
from chassis.crypto import DataKey, Keyring
from chassis.database import Database, Scope, Snapshot, Transaction
from services.sessions import content
from services.sessions.errors import (
    FileChecksumDiffers,
    FileIncomplete,
    FileLongerThanDeclared,
    FileNotFound,
    FileReady,
    FileTooLarge,
    FileTypeDiffers,
    FileTypeRefused,
    OffsetWrong,
    SessionNotFound,
)
from services.sessions.files.clearing import Clearing, blob_of
from services.sessions.files.types import HEAD, TYPES
from services.sessions.models import File, FilePiece, FileState
from services.sessions.store import Files, Sessions
from wrtn.sessions.v1 import files_pb2 as pb

PIECE = 4 * 1024 * 1024
"""Bytes of a piece; the last one of an upload is shorter."""


async def declare(
    tx: Transaction, keyring: Keyring, tenant_id: UUID, request: pb.CreateFileRequest, most: int
) -> File:
    """Adds a file without content; raises FileTooLarge and FileTypeRefused."""
    if request.size > most:
        raise FileTooLarge(most)
    if request.media_type not in TYPES:
        raise FileTypeRefused(request.media_type)
    file_id = tx.clock.new_id()
    key = await keyring.key(tx, tenant_id)
    name, digest = content.seal_file(key, file_id, request.display_name, request.sha256)
    row = File(
        tenant_id=tenant_id,
        id=file_id,
        chat_session_id=UUID(request.chat_session_id),
        state=FileState.UPLOADING,
        media_type=request.media_type,
        size=request.size,
        received=0,
        display_name=name,
        sha256=digest,
        create_time=tx.now,
    )
    await Files(tx, tenant_id).add(row)
    return row


async def found(
    tx: Snapshot, tenant_id: UUID, session_id: UUID, file_id: UUID, *, lock: bool = False
) -> File:
    """Answers a file of a session that is not deleted; raises SessionNotFound and FileNotFound."""
    if await Sessions(tx, tenant_id).of_tenant(session_id) is None:
        raise SessionNotFound
    row = await Files(tx, tenant_id).get(session_id, file_id, lock=lock)
    if row is None:
        raise FileNotFound
    return row


class Upload:
    """One file being uploaded, by whoever may."""

    def __init__(
        self,
        db: Database,
        keyring: Keyring,
        blobs: Blobs,
        clearing: Clearing,
        tenant_id: UUID,
        session_id: UUID,
        file_id: UUID,
    ) -> None:
        self._db = db
        self._keyring = keyring
        self._blobs = blobs
        self._clearing = clearing
        self._tenant_id = tenant_id
        self._session_id = session_id
        self._file_id = file_id

    async def receive(self, offset: int, parts: AsyncIterator[bytes]) -> None:
        """Stores content from the offset on, piece by piece; what a break cuts off in a piece is lost.

        Raises OffsetWrong, FileReady, and FileLongerThanDeclared, after which the file is gone.
        """
        rest = bytearray()
        async for part in parts:
            rest += part
            while len(rest) >= PIECE:
                offset = await self._store(offset, bytes(rest[:PIECE]))
                del rest[:PIECE]
        # Also without content: an upload from a wrong offset is told where to go on.
        await self._store(offset, bytes(rest))

    async def complete(self) -> None:
        """Looks at the whole content. What is not as declared is deleted.

        Raises FileIncomplete, FileChecksumDiffers and FileTypeDiffers.
        """
        async with self._db.snapshot(Scope.of(self._tenant_id)) as tx:
            row = await self._found(tx)
            if row.state == FileState.READY:
                return
            if row.received < row.size:
                raise FileIncomplete(row.received)
            key = await self._keyring.key(tx, self._tenant_id)
            pieces = await Files(tx, self._tenant_id).pieces(self._file_id)
        head, digest = bytearray(), hashlib.sha256()
        for piece in pieces:
            async for data in self._blobs.get(blob_of(self._tenant_id, piece), key=key):
                digest.update(data)
                head += data[: HEAD - len(head)]
        if digest.digest() != content.open_file_hash(key, row.id, row.sha256):
            await self._discard()
            raise FileChecksumDiffers
        if not TYPES[row.media_type](bytes(head)):
            await self._discard()
            raise FileTypeDiffers(row.media_type)
        async with self._db.transaction(Scope.of(self._tenant_id)) as tx:
            (await self._found(tx, lock=True)).state = FileState.READY

    async def _store(self, offset: int, data: bytes) -> int:
        """Stores a piece and answers where the next one begins."""
        async with self._db.transaction(Scope.of(self._tenant_id)) as tx:
            too_long = await self._exceeds(tx, offset, len(data))
            key = await self._keyring.key(tx, self._tenant_id)
            piece = FilePiece(
                tenant_id=self._tenant_id,
                id=tx.clock.new_id(),
                file_id=self._file_id,
                start=offset,
                create_time=tx.now,
            )
            if data and not too_long:
                await Files(tx, self._tenant_id).add(piece)
        if too_long:
            await self._discard()
            raise FileLongerThanDeclared
        if data:
            await self._put(piece.id, offset, data, key)
        return offset + len(data)

    async def _put(self, piece_id: UUID, offset: int, data: bytes, key: DataKey) -> None:
        name = blob_of(self._tenant_id, piece_id)
        await self._blobs.put(name, _once(data), key=key, most=len(data))
        try:
            async with self._db.transaction(Scope.of(self._tenant_id)) as tx:
                await self._exceeds(tx, offset, len(data))
                row = await self._found(tx, lock=True)
                await Files(tx, self._tenant_id).stored(piece_id, len(data))
                row.received = offset + len(data)
        except (OffsetWrong, FileReady, FileNotFound, SessionNotFound):
            await self._clearing.piece(self._tenant_id, piece_id)
            raise

    async def _exceeds(self, tx: Snapshot, offset: int, size: int) -> bool:
        """Checks that so many bytes may come there; answers whether they are more than was declared."""
        row = await self._found(tx, lock=True)
        if row.state == FileState.READY:
            raise FileReady
        if row.received != offset:
            raise OffsetWrong(row.received)
        return offset + size > row.size

    async def _found(self, tx: Snapshot, *, lock: bool = False) -> File:
        return await found(tx, self._tenant_id, self._session_id, self._file_id, lock=lock)

    async def _discard(self) -> None:
        async with self._db.transaction(Scope.of(self._tenant_id)) as tx:
            await Files(tx, self._tenant_id).delete(File.id == self._file_id)
        await self._clearing.file(self._tenant_id, self._file_id)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
