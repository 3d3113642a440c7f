"""Files: declared, uploaded in parts, looked at, handed out to the session's people, and cleared away."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import psycopg.errors as pg
import pytest
import pytest_asyncio
from google.api.httpbody_pb2 import HttpBody

from chassis.blobs import Blobs
from chassis.blobs.store import BlobsUnavailable
from chassis.database import Scope
from chassis.testing.callers import Known
from chassis.testing.waiting import until
from services.sessions.files import uploads
from services.sessions.files.clearing import Clearing
from services.sessions.purging import Purging
from services.sessions.store import Files
from tests.sessions.make import RECORD, Session, Sessions, reason, refusal
from wrtn.access.v1.access_pb2 import TITLE_MEMBER, TITLE_OWNER
from wrtn.sessions.v1 import files_pb2 as pb
from wrtn.sessions.v1.files_pb2_grpc import FileServiceStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
CODE = grpc.StatusCode


class Desk:
    """A session, and what is done with its files."""

    def __init__(self, sessions: Sessions, session: Session) -> None:
        self.sessions = sessions
        self.session = session
        self.tenant = session.owner.enterprise_id
        self.folder = sessions.folder / "blobs/sessions/files" / str(self.tenant)
        self.files = FileServiceStub(sessions.running.channel())
        runtime = sessions.running.runtime
        self.clearing = Clearing(runtime.db, runtime.worker, Blobs(runtime.settings.blob_url, "sessions"))
        self.purging = Purging(runtime.db, runtime.worker, self.clearing)

    def blobs(self) -> int:
        """Counts what lies in the store of files of the tenant."""
        return sum(each.is_file() for each in self.folder.rglob("*"))

    async def declare(self, data: bytes = PNG, by: Known | None = None, **changed: Any) -> pb.File:
        """Declares a file as it is, but for what is changed."""
        fields: dict[str, Any] = {
            "chat_session_id": self.session.id,
            "display_name": "비밀 plan.png",
            "media_type": "image/png",
            "size": len(data),
            "sha256": hashlib.sha256(data).digest(),
        }
        request = pb.CreateFileRequest(**(fields | changed))
        return await self.files.CreateFile(request, metadata=(by or self.session.owner).metadata)

    async def upload(
        self, file: pb.File, *parts: bytes, offset: int = 0, by: Known | None = None, connection: str = ""
    ) -> pb.File:
        """Uploads content in one call of several messages."""

        async def messages() -> AsyncIterator[pb.UploadFileRequest]:
            for number, part in enumerate(parts):
                first = (
                    {
                        "chat_session_id": file.chat_session_id,
                        "file_id": file.id,
                        "connection_id": connection,
                        "offset": offset,
                    }
                    if number == 0
                    else {}
                )
                yield pb.UploadFileRequest(content=HttpBody(data=part), **first)  # type: ignore[arg-type]

        return await self.files.UploadFile(messages(), metadata=(by or self.session.owner).metadata)

    def named(self, file: pb.File, connection: str = "") -> dict[str, str]:
        """Answers the fields that name a file."""
        return {
            "chat_session_id": file.chat_session_id,
            "file_id": file.id,
            "connection_id": connection,
        }

    async def complete(self, file: pb.File, by: Known | None = None, connection: str = "") -> pb.File:
        """Completes a file."""
        request = pb.CompleteFileRequest(**self.named(file, connection))
        return await self.files.CompleteFile(request, metadata=(by or self.session.owner).metadata)

    async def get(self, file: pb.File, by: Known | None = None) -> pb.File:
        """Gets a file."""
        request = pb.GetFileRequest(**self.named(file))
        return await self.files.GetFile(request, metadata=(by or self.session.owner).metadata)

    async def download(self, file: pb.File, by: Known | None = None, connection: str = "") -> bytes:
        """Downloads a file."""
        request = pb.DownloadFileRequest(**self.named(file, connection))
        call = self.files.DownloadFile(request, metadata=(by or self.session.owner).metadata)
        return b"".join([part.data async for part in call])

    async def ready(self, data: bytes = PNG) -> pb.File:
        """Makes a file that is ready."""
        file = await self.declare(data)
        await self.upload(file, data)
        return await self.complete(file)

    async def age(self) -> None:
        """Moves what was declared and deleted two months into the past."""
        async with self.sessions.database.app.transaction(Scope.of(self.tenant)) as tx:
            driver = await tx.driver()
            for change in (
                "UPDATE wrtn_files SET create_time = create_time - %s",
                "UPDATE wrtn_file_pieces SET create_time = create_time - %s",
                "UPDATE wrtn_chat_sessions SET delete_time = delete_time - %s",
            ):
                await driver.execute(change.encode(), (timedelta(days=60),))


@pytest_asyncio.fixture(loop_scope="module")
async def desk(sessions: Sessions) -> Desk:
    """A session of a member without files."""
    return Desk(sessions, await sessions.session())


async def refused(attempt: Any) -> tuple[grpc.StatusCode, str]:
    """Answers why a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await attempt
    return refusal(error.value)


async def test_a_file_is_uploaded_in_parts_and_downloaded_as_it_was(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "PIECE", 1000)
    file = await desk.declare()
    assert (file.state, file.display_name, file.received_size) == (
        pb.File.STATE_UPLOADING,
        "비밀 plan.png",
        0,
    )
    half = await desk.upload(file, PNG[:700], PNG[700:2500])
    assert half.received_size == 2500
    assert (await desk.get(file)).received_size == 2500
    assert await refused(desk.complete(file)) == (CODE.FAILED_PRECONDITION, "FILE_INCOMPLETE")
    assert await refused(desk.download(file)) == (CODE.FAILED_PRECONDITION, "FILE_INCOMPLETE")
    await desk.upload(file, PNG[2500:], offset=2500)
    assert (await desk.complete(file)).state == pb.File.STATE_READY
    assert (await desk.complete(file)).state == pb.File.STATE_READY
    assert await desk.download(file) == PNG
    assert await refused(desk.upload(file, b"x", offset=len(PNG))) == (CODE.FAILED_PRECONDITION, "FILE_READY")


async def test_after_a_break_the_upload_goes_on_from_what_was_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "PIECE", 1000)
    file = await desk.declare()
    call = desk.files.UploadFile(metadata=desk.session.owner.metadata)
    first = pb.UploadFileRequest(
        chat_session_id=desk.session.id, file_id=file.id, content=HttpBody(data=PNG[:2700])
    )
    await call.write(first)

    async def kept() -> bool:
        return (await desk.get(file)).received_size == 2000

    await until(kept)
    call.cancel()
    assert await refused(desk.upload(file, PNG)) == (CODE.FAILED_PRECONDITION, "OFFSET_WRONG")
    received = (await desk.get(file)).received_size
    assert received == 2000
    await desk.upload(file, PNG[received:], offset=received)
    await desk.complete(file)
    assert await desk.download(file) == PNG


async def test_of_two_who_send_the_same_part_at_once_each_byte_is_kept_once(desk: Desk) -> None:
    file = await desk.declare()
    sent = await asyncio.gather(*(desk.upload(file, PNG) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(each, pb.File) for each in sent) == 1
    await desk.complete(file)
    assert await desk.download(file) == PNG
    assert desk.blobs() == 1


async def test_content_and_names_lie_nowhere_in_plain(desk: Desk) -> None:
    file = await desk.ready(PNG + b"canary" * 100)
    kept = b"".join(each.read_bytes() for each in desk.folder.rglob("*") if each.is_file())
    assert b"canary" not in kept
    assert b"PNG" not in kept
    ((name, digest),) = await desk.sessions.rows("SELECT display_name, sha256 FROM wrtn_files", desk.tenant)
    assert "비밀".encode() not in bytes(name)
    assert hashlib.sha256(PNG + b"canary" * 100).digest() not in bytes(digest)
    assert file.display_name == "비밀 plan.png"


@pytest.mark.parametrize(
    ("declared", "sent", "why"),
    [
        ({"size": len(PNG) - 1}, PNG, "FILE_LONGER_THAN_DECLARED"),
        ({}, PNG[:-1] + b"?", "FILE_CHECKSUM_DIFFERS"),
        ({"media_type": "application/pdf"}, PNG, "FILE_TYPE_DIFFERS"),
        ({"media_type": "text/plain"}, PNG, "FILE_TYPE_DIFFERS"),
    ],
)
async def test_a_file_that_lies_is_refused_and_leaves_nothing(
    desk: Desk, declared: dict[str, Any], sent: bytes, why: str
) -> None:
    file = await desk.declare(**declared)

    async def all_of_it() -> None:
        await desk.upload(file, sent[:5000])
        await desk.upload(file, sent[5000:], offset=5000)
        await desk.complete(file)

    assert await refused(all_of_it()) == (CODE.INVALID_ARGUMENT, why)
    assert desk.blobs() == 0
    assert await refused(desk.get(file)) == (CODE.NOT_FOUND, "FILE_NOT_FOUND")
    assert await desk.sessions.rows("SELECT display_name, sha256, cleared FROM wrtn_files", desk.tenant) == [
        (None, None, True)
    ]
    assert await desk.sessions.rows("SELECT id FROM wrtn_file_pieces", desk.tenant) == []


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"size": 100 * 1024 * 1024 + 1}, "FILE_TOO_LARGE"),
        ({"media_type": "text/html"}, "FILE_TYPE_REFUSED"),
        ({"media_type": "image/svg+xml"}, "FILE_TYPE_REFUSED"),
        ({"size": 0}, "REQUEST_INVALID"),
        ({"sha256": b"short"}, "REQUEST_INVALID"),
    ],
)
async def test_what_is_too_large_or_of_another_type_is_not_taken(
    desk: Desk, changed: dict[str, Any], why: str
) -> None:
    assert await refused(desk.declare(**changed)) == (CODE.INVALID_ARGUMENT, why)


async def test_strangers_find_no_file_and_readers_are_audited(sessions: Sessions) -> None:
    enterprise_id = sessions.clock.new_id()
    person = sessions.callers.employee(enterprise_id, TITLE_MEMBER)
    owner = sessions.callers.employee(enterprise_id, TITLE_OWNER)
    desk = Desk(sessions, await sessions.session(person))
    file = await desk.ready()
    for nobody in (owner, sessions.callers.member()):
        for attempt in (
            desk.get(file, nobody),
            desk.download(file, nobody),
            desk.declare(by=nobody),
            desk.upload(file, PNG, by=nobody),
            desk.complete(file, nobody),
        ):
            assert await refused(attempt) == (CODE.NOT_FOUND, "SESSION_NOT_FOUND")
    sessions.callers.readable.add(enterprise_id)
    assert await desk.download(file, owner) == PNG
    assert [each.action for each in await sessions.audited(enterprise_id)] == ["chat_session.read"]
    other = await sessions.session(person)
    file.chat_session_id = other.id
    assert await refused(desk.get(file)) == (CODE.NOT_FOUND, "FILE_NOT_FOUND")


async def test_a_websocket_server_uploads_by_its_connection_alone(desk: Desk) -> None:
    sessions, session = desk.sessions, desk.session
    opened = await sessions.open(session)
    server = session.credential
    file = await desk.declare(by=server, connection_id=opened.connection_id)
    await desk.upload(file, PNG, by=server, connection=opened.connection_id)
    await desk.complete(file, server, opened.connection_id)
    assert await desk.download(file, server, opened.connection_id) == PNG
    assert await desk.download(file) == PNG
    elsewhere = await sessions.open(await sessions.session(credential=server))
    thief = sessions.callers.credential(RECORD)
    for by, connection in ((server, ""), (server, elsewhere.connection_id), (thief, opened.connection_id)):
        assert await refused(desk.download(file, by, connection)) == (CODE.NOT_FOUND, "CONNECTION_NOT_FOUND")
        assert await refused(desk.declare(by=by, connection_id=connection)) == (
            CODE.NOT_FOUND,
            "CONNECTION_NOT_FOUND",
        )
    line = await sessions.attach(session)
    await line.finish()
    attempt = desk.download(file, server, line.opened.connection_id)
    assert await refused(attempt) == (CODE.FAILED_PRECONDITION, "CONNECTION_CLOSED")


async def test_attached_files_are_recorded_once_more_in_sequence(desk: Desk) -> None:
    sessions, session = desk.sessions, desk.session
    first, second = await desk.ready(), await desk.ready(PNG + b"2")
    line = await sessions.attach(session)
    frame = sessions.frame(file_ids=[second.id, first.id])
    (ack,) = await line.record(frame)
    assert await line.record(frame, frame) == [ack, ack]
    await line.record(sessions.frame())
    read = await sessions.histories(session)
    assert [list(each.file_ids) for each in read] == [[second.id, first.id], []]
    rows = await sessions.rows(
        "SELECT sequence, file_id::text FROM wrtn_history_files ORDER BY sequence", desk.tenant
    )
    assert rows == [(1, second.id), (2, first.id)]
    frame.file_ids.reverse()
    await line.send(frame)
    assert reason((await line.read()).rejection.status) == "HISTORY_CONFLICT"
    with pytest.raises((pg.InsufficientPrivilege, pg.RestrictViolation)):
        async with sessions.database.app.transaction(Scope.of(desk.tenant)) as tx:
            await (await tx.driver()).execute(b"DELETE FROM wrtn_history_files")


async def test_a_file_that_is_not_ready_or_of_another_session_is_not_attached(desk: Desk) -> None:
    sessions = desk.sessions
    unready = await desk.declare()
    desk.session = other = await sessions.session(desk.session.owner)
    foreign = await desk.ready()
    session = await sessions.session(other.owner)
    line = await sessions.attach(session)
    for file_id in (unready.id, foreign.id, str(sessions.clock.new_id())):
        await line.send(sessions.frame(file_ids=[file_id]), sessions.frame())
        assert reason((await line.read()).rejection.status) == "FILE_NOT_FOUND"
        assert (await line.read()).HasField("ack")


async def test_unfinished_uploads_are_cleared_after_a_day(desk: Desk) -> None:
    kept, file = await desk.ready(), await desk.declare()
    await desk.upload(file, PNG[:500])
    await desk.clearing.run()
    assert desk.blobs() == 2
    await desk.age()
    await desk.clearing.run()
    assert desk.blobs() == 1
    assert await refused(desk.get(file)) == (CODE.NOT_FOUND, "FILE_NOT_FOUND")
    assert await desk.download(kept) == PNG


async def test_what_a_crash_left_of_a_piece_is_cleared(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    file = await desk.declare()

    async def crashed(*_: object, **__: object) -> None:
        raise SystemError("killed between the blob and its note")

    with monkeypatch.context() as patched:
        patched.setattr(Files, "stored", crashed)
        with pytest.raises(grpc.aio.AioRpcError):
            await desk.upload(file, PNG)
    assert desk.blobs() == 1
    await desk.upload(file, PNG)
    await desk.complete(file)
    await desk.age()
    await desk.clearing.run()
    assert desk.blobs() == 1
    assert await desk.download(file) == PNG


async def test_the_purge_of_a_session_deletes_its_files_and_tries_again_when_the_store_is_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = await desk.ready()
    await desk.sessions.delete(desk.session)
    assert await refused(desk.download(file)) == (CODE.NOT_FOUND, "SESSION_NOT_FOUND")
    await desk.age()

    async def away(*_: object) -> None:
        raise BlobsUnavailable("The store of files does not answer.")

    with monkeypatch.context() as patched:
        patched.setattr(Blobs, "delete", away)
        await desk.purging.run()
    assert desk.blobs() == 1
    assert await desk.sessions.outbox("chat_session.purged", desk.tenant) == []
    await desk.purging.run()
    assert desk.blobs() == 0
    assert len(await desk.sessions.outbox("chat_session.purged", desk.tenant)) == 1
    assert await desk.sessions.rows("SELECT state, cleared, display_name FROM wrtn_files", desk.tenant) == [
        (3, True, None)
    ]
