"""What is in the files of personal accounts, for their holder: a document of its own in an export."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from chassis.blobs import Blobs
from chassis.crypto import DataKey, Keyring
from chassis.database import Database, Scope
from chassis.subjects.documents import line
from services.sessions.files.clearing import blob_of
from services.sessions.models import FilePiece
from services.sessions.store import Files


class Contents:
    """The content of ready files, a line a piece: its file, where it begins there, its bytes as Base64."""

    document = "file_contents"

    def __init__(self, keyring: Keyring, blobs: Blobs, tenants: Sequence[UUID]) -> None:
        self._keyring = keyring
        self._blobs = blobs
        self._tenants = tenants

    async def read(self, db: Database) -> AsyncIterator[bytes]:
        """Yields a line after the other: a piece is what fits into memory and a message."""
        for tenant_id in self._tenants:
            after = UUID(int=0)
            while (found := await self._next(db, tenant_id, after)) is not None:
                piece, key = found
                name = blob_of(tenant_id, piece.id)
                data = b"".join([part async for part in self._blobs.get(name, key=key)])
                text = base64.b64encode(data).decode()
                yield line({"file_id": piece.file_id, "start": piece.start, "base64": text})
                after = piece.id

    async def _next(self, db: Database, tenant_id: UUID, after: UUID) -> tuple[FilePiece, DataKey] | None:
        async with db.snapshot(Scope.of(tenant_id)) as tx:
            piece = await Files(tx, tenant_id).next_piece(after)
            return None if piece is None else (piece, await self._keyring.key(tx, tenant_id))
