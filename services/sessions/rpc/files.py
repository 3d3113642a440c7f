"""FileService: files of sessions, for members and for websocket servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from google.api.httpbody_pb2 import HttpBody

from chassis import timestamps
from chassis.blobs import Blobs
from chassis.call import CallerKind, current
from chassis.crypto import DataKey, Keyring
from chassis.database import Database, Scope, Snapshot, Transaction
from chassis.idempotency import once
from services.sessions import content, sessions
from services.sessions.acting import Acting
from services.sessions.authorities import Authorities
from services.sessions.errors import (
    ConnectionClosed,
    ConnectionNotFound,
    FileIncomplete,
    FileNotFound,
    SessionNotFound,
)
from services.sessions.files import uploads
from services.sessions.files.clearing import Clearing, blob_of
from services.sessions.files.uploads import Upload
from services.sessions.models import File, FileState, Session
from services.sessions.readers import Readers
from services.sessions.store import Files, Sessions, connection_of
from wrtn.sessions.v1 import files_pb2 as pb
from wrtn.sessions.v1.files_pb2_grpc import FileServiceServicer

_Named = pb.CreateFileRequest | pb.UploadFileRequest | pb.CompleteFileRequest
_Read = pb.GetFileRequest | pb.DownloadFileRequest


class FileRpc(FileServiceServicer):
    """Who may write is asked here; who may read, `Readers` knows."""

    def __init__(
        self,
        db: Database,
        keyring: Keyring,
        readers: Readers,
        authorities: Authorities,
        blobs: Blobs,
        clearing: Clearing,
        most: int,
    ) -> None:
        self._db = db
        self._keyring = keyring
        self._readers = readers
        self._authorities = authorities
        self._blobs = blobs
        self._clearing = clearing
        self._most = most

    async def CreateFile(self, request: pb.CreateFileRequest, context: Any) -> pb.File:
        """Declares a file."""
        tenant_id = await self._tenant_of(request)

        async def work(tx: Transaction) -> pb.File:
            row = await uploads.declare(tx, self._keyring, tenant_id, request, self._most)
            return _shown(row, await self._keyring.key(tx, tenant_id))

        return await once(self._db, Scope.of(tenant_id), request, work)

    async def UploadFile(self, request_iterator: AsyncIterator[Any], context: Any) -> pb.File:
        """Takes content; the first message says for which file."""
        first: pb.UploadFileRequest = await anext(request_iterator, pb.UploadFileRequest())
        if not first.chat_session_id or not first.file_id:
            raise FileNotFound
        tenant_id = await self._tenant_of(first)

        async def parts() -> AsyncIterator[bytes]:
            yield first.content.data
            async for each in request_iterator:
                yield each.content.data

        upload = self._upload(tenant_id, first.chat_session_id, first.file_id)
        await upload.receive(first.offset, parts())
        return await self._get(tenant_id, first.chat_session_id, first.file_id)

    async def CompleteFile(self, request: pb.CompleteFileRequest, context: Any) -> pb.File:
        """Looks at what was uploaded."""
        tenant_id = await self._tenant_of(request)
        await self._upload(tenant_id, request.chat_session_id, request.file_id).complete()
        return await self._get(tenant_id, request.chat_session_id, request.file_id)

    async def GetFile(self, request: pb.GetFileRequest, context: Any) -> pb.File:
        """Gets a file, for whoever may read the session."""
        row, key = await self._readable(request)
        return _shown(row, key)

    async def DownloadFile(self, request: pb.DownloadFileRequest, context: Any) -> AsyncIterator[HttpBody]:
        """Streams the content, piece by piece."""
        row, key = await self._readable(request)
        if row.state != FileState.READY:
            raise FileIncomplete(row.received)
        async with self._db.snapshot(Scope.of(row.tenant_id)) as tx:
            pieces = await Files(tx, row.tenant_id).pieces(row.id)
        await context.send_initial_metadata(
            (
                ("x-http-header-content-length", str(row.size)),
                ("x-http-header-content-disposition", "attachment"),
                ("x-http-header-cache-control", "no-store"),
            )
        )
        for piece in pieces:
            async for data in self._blobs.get(blob_of(row.tenant_id, piece), key=key):
                yield HttpBody(content_type=row.media_type, data=data)

    async def _tenant_of(self, request: _Named) -> UUID:
        """Answers the tenant in which the caller may write to the session.

        Raises SessionNotFound; for a credential ConnectionNotFound and ConnectionClosed.
        """
        caller = current().caller
        if caller.kind is CallerKind.SERVICE:
            return (await self._connected(request)).tenant_id
        async with self._db.snapshot(caller.scope) as tx:
            return (await sessions.found(tx, Acting.of(caller), UUID(request.chat_session_id))).tenant_id

    async def _connected(self, request: _Named | _Read) -> Session:
        """Answers the session to which the calling credential has the connection that it names."""
        credential_id = current().caller.credential_id
        if credential_id is None or not request.connection_id:
            raise ConnectionNotFound
        connection_id, session_id = UUID(request.connection_id), UUID(request.chat_session_id)
        await self._authorities.of(connection_id, credential_id)
        async with self._db.snapshot(Scope(member_id=credential_id)) as tx:
            connection = await connection_of(tx, connection_id, credential_id)
        if connection is None or connection.chat_session_id != session_id:
            raise ConnectionNotFound
        if connection.disconnect_time is not None:
            raise ConnectionClosed
        async with self._db.snapshot(Scope.of(connection.tenant_id)) as tx:
            session = await Sessions(tx, connection.tenant_id).of_tenant(session_id)
        if session is None:
            raise SessionNotFound
        return session

    async def _readable(self, request: _Read) -> tuple[File, DataKey]:
        session_id, file_id = UUID(request.chat_session_id), UUID(request.file_id)

        async def read(tx: Snapshot, session: Session) -> tuple[File, DataKey]:
            row = await uploads.found(tx, session.tenant_id, session_id, file_id)
            return row, await self._keyring.key(tx, session.tenant_id)

        caller = current().caller
        if caller.kind is not CallerKind.SERVICE:
            return await self._readers.content(caller, session_id, read, what="file")
        session = await self._connected(request)
        async with self._db.snapshot(Scope.of(session.tenant_id)) as tx:
            return await read(tx, session)

    async def _get(self, tenant_id: UUID, session_id: str, file_id: str) -> pb.File:
        async with self._db.snapshot(Scope.of(tenant_id)) as tx:
            row = await uploads.found(tx, tenant_id, UUID(session_id), UUID(file_id))
            return _shown(row, await self._keyring.key(tx, tenant_id))

    def _upload(self, tenant_id: UUID, session_id: str, file_id: str) -> Upload:
        return Upload(
            self._db,
            self._keyring,
            self._blobs,
            self._clearing,
            tenant_id,
            UUID(session_id),
            UUID(file_id),
        )


def _shown(row: File, key: DataKey) -> pb.File:
    return pb.File(
        id=str(row.id),
        chat_session_id=str(row.chat_session_id),
        display_name=content.open_file_name(key, row.id, row.display_name),
        media_type=row.media_type,
        size=row.size,
        received_size=row.received,
        state=row.state,  # type: ignore[arg-type]
        create_time=timestamps.of(row.create_time),
    )
