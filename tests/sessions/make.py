"""Makes what the tests of sessions need, through its own interface."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from chassis.clock import Clock
from chassis.database import Scope
from chassis.embedded.nats import Nats
from chassis.service import Parts, Running, Runtime, start
from chassis.testing.callers import Callers, Known
from chassis.testing.databases import ServiceDatabase
from services.sessions.main import wire
from services.sessions.settings import SessionsSettings
from wrtn.audit.v1.audit_pb2 import AuditEntry
from wrtn.sessions.v1 import chat_sessions_pb2 as pb
from wrtn.sessions.v1.chat_sessions_pb2_grpc import ChatSessionServiceStub
from wrtn.sessions.v1.events_pb2 import AuditRecorded, UsageRecorded
from wrtn.sessions.v1.recorder_pb2 import (
    Ack,
    AppendHistoryRequest,
    AttachRequest,
    AttachResponse,
    Frame,
    OpenConnectionRequest,
    Opened,
)
from wrtn.sessions.v1.recorder_pb2_grpc import RecorderServiceStub
from wrtn.sessions.v1.token_usage_pb2 import TokenUsage, TokenUsageInput, TokenUsageOutput

RECORD = "sessions.record"
MODEL = "openai/gpt-4.1"


def settings(database: ServiceDatabase, nats_url: str, callers: Callers, folder: Path) -> SessionsSettings:
    """Answers the settings of a service on free ports."""
    key_file = folder / "keys"
    if not key_file.exists():
        key_file.write_text(base64.b64encode(os.urandom(32)).decode())
    return SessionsSettings(
        grpc_address="127.0.0.1:0",
        metrics_address="127.0.0.1:0",
        database_url=database.urls.app,
        database_worker_url=database.urls.worker,
        nats_url=nats_url,
        key_file=key_file,
        peer_key_file=callers.private_key("sessions"),
        peer_keys_dir=callers.peer_keys_dir,
        identity_address="127.0.0.1:1",
        enterprise_address="127.0.0.1:1",
        drain_seconds=5,
        blob_url=(folder / "blobs").as_uri(),
    )


@dataclass(frozen=True)
class Session:
    """A session, its owner, and the credential that records it."""

    id: str
    owner: Known
    credential: Known


class Line:
    """The websocket server's end of one Attach stream."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self.opened = Opened()

    async def send(self, *frames: Frame) -> None:
        """Sends frames."""
        for each in frames:
            await self.call.write(AttachRequest(frame=each))

    async def read(self) -> AttachResponse:
        """Reads one message; fails at the end of the stream."""
        answer: Any = await self.call.read()
        assert isinstance(answer, AttachResponse), "the stream ended"
        return answer

    async def acks(self, count: int) -> list[Ack]:
        """Reads so many messages, which must all be acks."""
        answers = [await self.read() for _ in range(count)]
        assert all(each.HasField("ack") for each in answers), answers
        return [each.ack for each in answers]

    async def record(self, *frames: Frame) -> list[Ack]:
        """Sends frames and reads their acks."""
        await self.send(*frames)
        return await self.acks(len(frames))

    async def finish(self) -> list[AttachResponse]:
        """Half-closes, and answers everything that came until the end."""
        await self.call.done_writing()
        return await self.rest()

    async def rest(self) -> list[AttachResponse]:
        """Answers everything that comes until the end."""
        answers = []
        while (answer := await self.call.read()) is not grpc.aio.EOF:
            answers.append(answer)
        return answers


class Sessions:
    """The running service, and stubs to call it with."""

    def __init__(
        self,
        running: Running[SessionsSettings],
        database: ServiceDatabase,
        channel: grpc.aio.Channel,
        callers: Callers,
        nats: Nats,
        folder: Path,
    ) -> None:
        self.running = running
        self.database = database
        self.callers = callers
        self.nats = nats
        self.folder = folder
        self.channel = channel
        self.clock: Clock = running.runtime.clock
        self.chats = ChatSessionServiceStub(channel)
        self.recorder = RecorderServiceStub(channel)

    def replica(self, *, nats: Nats | None = None, **changed: Any) -> AbstractAsyncContextManager[Sessions]:
        """Serves another replica over the same database; `changed` are settings that differ."""
        return serving(self.database, nats or self.nats, self.callers, self.folder, **changed)

    async def session(
        self, owner: Known | None = None, credential: Known | None = None, team_id: UUID | None = None
    ) -> Session:
        """Creates a session, of a new member with a personal account unless one is given."""
        owner = owner or self.callers.member()
        request = pb.CreateChatSessionRequest(model=MODEL, team_id=str(team_id) if team_id else "")
        created = await self.chats.CreateChatSession(request, metadata=owner.metadata)
        return Session(created.id, owner, credential or self.callers.credential(RECORD))

    async def ticket(self, session: Session) -> str:
        """Asks for a ticket."""
        request = pb.ConnectChatSessionRequest(chat_session_id=session.id)
        return (await self.chats.ConnectChatSession(request, metadata=session.owner.metadata)).ticket

    async def attach(self, session: Session, **opening: str) -> Line:
        """Opens a stream, with a new ticket unless a connection is to be resumed."""
        if "resumed_connection_id" not in opening and "ticket" not in opening:
            opening["ticket"] = await self.ticket(session)
        line = self.dial(session.credential)
        await line.call.write(AttachRequest(open=OpenConnectionRequest(**opening)))
        line.opened = (await line.read()).opened
        return line

    def dial(self, credential: Known) -> Line:
        """Starts a stream without opening it."""
        return Line(self.recorder.Attach(metadata=credential.metadata))

    async def open(self, session: Session, **opening: str) -> Opened:
        """Opens a connection without a stream."""
        if "resumed_connection_id" not in opening and "ticket" not in opening:
            opening["ticket"] = await self.ticket(session)
        request = OpenConnectionRequest(**opening)
        return await self.recorder.OpenConnection(request, metadata=session.credential.metadata)

    async def append(self, session: Session, connection_id: str, frame: Frame) -> Ack:
        """Appends without a stream."""
        request = AppendHistoryRequest(connection_id=connection_id, frame=frame)
        return await self.recorder.AppendHistory(request, metadata=session.credential.metadata)

    def frame(self, body: str = '{"text":"hello"}', **fields: Any) -> Frame:
        """Makes a frame with a new id."""
        return Frame(**({"id": str(self.clock.new_id()), "type": "user_message", "body": body} | fields))

    async def histories(self, session: Session) -> list[pb.History]:
        """Lists all histories of a session, page by page."""
        found: list[pb.History] = []
        token = ""
        while True:
            request = pb.ListHistoriesRequest(chat_session_id=session.id, page_token=token)
            page = await self.chats.ListHistories(request, metadata=session.owner.metadata)
            found += page.histories
            token = page.next_page_token
            if not token:
                return found

    async def connections(self, session: Session) -> list[pb.Connection]:
        """Lists the connections of a session."""
        request = pb.ListConnectionsRequest(chat_session_id=session.id)
        return list((await self.chats.ListConnections(request, metadata=session.owner.metadata)).connections)

    async def usage(self, session: Session) -> TokenUsage:
        """Answers the token usage of a session."""
        request = pb.GetTokenUsageRequest(chat_session_id=session.id)
        return await self.chats.GetTokenUsage(request, metadata=session.owner.metadata)

    async def delete(self, session: Session) -> None:
        """Deletes a session."""
        request = pb.DeleteChatSessionRequest(chat_session_id=session.id)
        await self.chats.DeleteChatSession(request, metadata=session.owner.metadata)

    async def rows(self, statement: str, *tenants: UUID | None) -> list[tuple[Any, ...]]:
        """Answers what the app role sees of these tenants."""
        scope = Scope(frozenset(each for each in tenants if each is not None))
        async with self.database.app.snapshot(scope) as tx:
            found = await (await tx.driver()).execute(statement.encode())
            return await found.fetchall()

    async def outbox(self, kind: str, *tenants: UUID | None) -> list[tuple[Any, ...]]:
        """Answers tenant, aggregate and payload of these tenants' events of a kind, "usage.recorded".

        Without tenants it answers those of all, which only a test with a service of its own can count.
        """
        async with self.database.worker.snapshot(Scope()) as tx:
            found = await (await tx.driver()).execute(
                "SELECT tenant_id, aggregate_id, payload FROM wrtn_outbox"
                " WHERE subject = %s AND (%s OR tenant_id = ANY (%s)) ORDER BY id",
                (f"wrtn.sessions.v1.{kind}", not tenants, list(tenants)),
            )
            return await found.fetchall()

    async def told(self, *tenants: UUID | None) -> list[UsageRecorded]:
        """Answers what was told of the usage of these tenants."""
        return [UsageRecorded.FromString(row[2]) for row in await self.outbox("usage.recorded", *tenants)]

    async def audited(self, *tenants: UUID | None) -> list[AuditEntry]:
        """Answers what was audited of these tenants."""
        return [
            AuditRecorded.FromString(row[2]).entry for row in await self.outbox("audit.recorded", *tenants)
        ]

    async def relayed(self) -> bool:
        """Whether every event of the service is in its stream."""
        async with self.database.worker.snapshot(Scope()) as tx:
            found = await (await tx.driver()).execute(
                "SELECT FROM wrtn_outbox WHERE sent_time IS NULL LIMIT 1"
            )
            return await found.fetchone() is None


def tokens(read: int, wrote: int, *, cached: int = 0, reasoning: int = 0) -> TokenUsage:
    """Makes a usage that adds up."""
    return TokenUsage(
        total=read + wrote,
        input=TokenUsageInput(total=read, cached=cached),
        output=TokenUsageOutput(total=wrote, reasoning=reasoning),
    )


@asynccontextmanager
async def serving(
    database: ServiceDatabase, nats: Nats, callers: Callers, folder: Path, **changed: Any
) -> AsyncIterator[Sessions]:
    """Serves sessions; `changed` are settings that differ."""
    chosen = replace(settings(database, nats.url, callers, folder), **changed)

    def wired(runtime: Runtime[SessionsSettings]) -> Parts:
        parts = wire(runtime)
        parts.principals_source = callers.principal
        parts.access_source = callers.access
        parts.jwks_source = callers.jwks
        return parts

    async with start("sessions", chosen, wired) as running:
        channel = running.channel()
        try:
            yield Sessions(running, database, channel, callers, nats, folder)
        finally:
            await channel.close()


def refusal(error: grpc.aio.AioRpcError) -> tuple[grpc.StatusCode, str]:
    """Answers the code and the reason of a refused call."""
    status = rpc_status.from_call(error)
    return error.code(), reason(status) if status is not None else ""


def reason(status: Status) -> str:
    """Answers the reason in a status."""
    info = ErrorInfo()
    for detail in status.details:
        if detail.Is(ErrorInfo.DESCRIPTOR):
            detail.Unpack(info)
    return str(info.reason)
