"""ChatSessionService: what people see of their sessions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.empty_pb2 import Empty

from chassis import masks
from chassis.access.employment import AccessCache
from chassis.call import current
from chassis.crypto import Keyring
from chassis.database import Database, Scope, Snapshot, Transaction
from chassis.idempotency import once
from chassis.paging import Page, PageTokenInvalid
from services.sessions import chat_sessions, content, convert, title_search
from services.sessions.chat_sessions import Acting
from services.sessions.errors import TeamNotFound
from services.sessions.filters import Wanted, common
from services.sessions.live import Live
from services.sessions.models import ChatSession
from services.sessions.readers import Readers
from services.sessions.store import ChatSessions, Connections, Histories
from services.sessions.transcripts import FORMATS, Transcript
from wrtn.sessions.v1 import chat_sessions_pb2 as pb
from wrtn.sessions.v1.chat_sessions_pb2_grpc import ChatSessionServiceServicer
from wrtn.sessions.v1.token_usage_pb2 import TokenUsage

_PAGE_BYTES = 3 * 1024 * 1024

SEARCHED = "chat_sessions.searched"
"""The audited action of listing a tenant's sessions as staff."""


class ChatSessionsService(ChatSessionServiceServicer):
    """Nearly every method works on the acting account's sessions alone; `readers` knows the others."""

    def __init__(
        self, db: Database, keyring: Keyring, access: AccessCache, live: Live, readers: Readers
    ) -> None:
        self._db = db
        self._keyring = keyring
        self._access = access
        self._live = live
        self._readers = readers

    async def CreateChatSession(self, request: pb.CreateChatSessionRequest, context: Any) -> pb.ChatSession:
        """Creates a session of the acting account; its holder must have joined the team that is named."""
        caller = current().caller
        acting = Acting.of(caller)
        team_id = UUID(request.team_id) if request.team_id else None
        await chat_sessions.check_rights(self._access, acting, team_id, request.model)

        async def work(tx: Transaction) -> pb.ChatSession:
            return await chat_sessions.create(tx, self._keyring, acting, request)

        return await once(self._db, caller.scope, request, work)

    async def GetChatSession(self, request: pb.GetChatSessionRequest, context: Any) -> pb.ChatSession:
        """Gets the session."""

        async def read(tx: Snapshot, row: ChatSession) -> pb.ChatSession:
            return (await chat_sessions.shown(tx, self._keyring, [row]))[0]

        session_id = UUID(request.chat_session_id)
        return await self._readers.content(
            current().caller, session_id, read, what="title", tenant=request.tenant_id
        )

    async def ListChatSessions(
        self, request: pb.ListChatSessionsRequest, context: Any
    ) -> pb.ListChatSessionsResponse:
        """Lists the sessions of the acting account; looks through the titles if one is asked for."""
        caller = current().caller
        acting = Acting.of(caller)
        page = Page.of(request)
        wanted = Wanted(
            account_id=acting.account_id,
            team_id=UUID(request.team_id) if request.team_id else None,
            favourite=request.favourite if request.HasField("favourite") else None,
            deleted=request.deleted,
            **common(request, newest_first=False),
        )
        async with self._db.snapshot(caller.scope) as tx:
            if request.title:
                shown, token = await title_search.search(
                    tx, self._keyring, acting.tenant_id, wanted, request.title, _place(page), page
                )
            else:
                store = ChatSessions(tx, acting.tenant_id)
                rows = await store.page(wanted, _place(page), page.size + 1)
                rows, token = page.cut(rows, lambda row: title_search.key_of(wanted, row))
                shown = await chat_sessions.shown(tx, self._keyring, rows)
        return pb.ListChatSessionsResponse(chat_sessions=shown, next_page_token=token)

    async def UpdateChatSession(self, request: pb.UpdateChatSessionRequest, context: Any) -> pb.ChatSession:
        """Changes the title, or whether it is a favourite."""
        caller = current().caller
        changes = masks.changes(request.chat_session, request.update_mask, allowed=("title", "favourite"))

        async def work(tx: Transaction) -> pb.ChatSession:
            acting, session_id = Acting.of(caller), request.chat_session.id
            return await chat_sessions.change(tx, self._keyring, acting, session_id, changes)

        return await once(self._db, caller.scope, request, work)

    async def UndeleteChatSession(
        self, request: pb.UndeleteChatSessionRequest, context: Any
    ) -> pb.ChatSession:
        """Brings a deleted session back."""
        caller = current().caller

        async def work(tx: Transaction) -> pb.ChatSession:
            acting = Acting.of(caller)
            return await chat_sessions.restore(tx, self._keyring, acting, request.chat_session_id)

        return await once(self._db, caller.scope, request, work)

    async def ExportChatSession(
        self, request: pb.ExportChatSessionRequest, context: Any
    ) -> AsyncIterator[HttpBody]:
        """Streams the transcript, page by page; who reads it is audited before the first one."""

        async def read(tx: Snapshot, row: ChatSession) -> tuple[ChatSession, pb.ChatSession]:
            return row, (await chat_sessions.shown(tx, self._keyring, [row]))[0]

        row, shown = await self._readers.content(
            current().caller,
            UUID(request.chat_session_id),
            read,
            what="transcript",
            tenant=request.tenant_id,
        )
        transcript = Transcript(self._db, self._keyring, row, shown)
        kind = FORMATS[request.format]
        name = f"chat-session-{row.id}.{kind.ending}"
        await context.send_initial_metadata(
            (
                ("x-http-header-content-disposition", f'attachment; filename="{name}"'),
                ("x-http-header-cache-control", "no-store"),
            )
        )
        async for data in kind.write(transcript):
            yield HttpBody(content_type=kind.content_type, data=data)

    async def DeleteChatSession(self, request: pb.DeleteChatSessionRequest, context: Any) -> Empty:
        """Deletes the session. Its streams here end after the commit, those elsewhere by the event."""
        caller = current().caller

        async def work(tx: Transaction) -> Empty:
            row = await chat_sessions.remove(tx, Acting.of(caller), request.chat_session_id)
            tx.after_commit(lambda: self._live.session_deleted(row.id))
            return Empty()

        return await once(self._db, caller.scope, request, work)

    async def ConnectChatSession(
        self, request: pb.ConnectChatSessionRequest, context: Any
    ) -> pb.ConnectChatSessionResponse:
        """Gives out a ticket. Repeating it with the same request id answers the same one."""
        caller = current().caller
        acting = Acting.of(caller)
        async with self._db.snapshot(caller.scope) as seen:
            session = await chat_sessions.found(seen, acting, request.chat_session_id)
        await chat_sessions.check_rights(self._access, acting, session.team_id, session.model)

        async def work(tx: Transaction) -> pb.ConnectChatSessionResponse:
            return await chat_sessions.connect(tx, acting, request.chat_session_id)

        return await once(self._db, caller.scope, request, work)

    async def ListHistories(self, request: pb.ListHistoriesRequest, context: Any) -> pb.ListHistoriesResponse:
        """Lists the histories in order.

        Cuts the page where its bodies get too many; whether there is more, the last sequence tells.
        """
        page = Page.of(request)

        async def read(tx: Snapshot, session: ChatSession) -> pb.ListHistoriesResponse:
            store = Histories(tx, session.tenant_id)
            rows = await store.page(session.id, _sequence(page), page.size, _PAGE_BYTES)
            histories = await chat_sessions.histories(tx, self._keyring, session.tenant_id, rows)
            token = ""
            if rows and rows[-1].sequence < session.last_sequence:
                shorter = replace(page, size=len(rows))
                _, token = shorter.cut([*rows, rows[-1]], lambda row: (str(row.sequence),))
            return pb.ListHistoriesResponse(histories=histories, next_page_token=token)

        session_id = UUID(request.chat_session_id)
        return await self._readers.content(
            current().caller, session_id, read, what="histories", tenant=request.tenant_id
        )

    async def ListConnections(
        self, request: pb.ListConnectionsRequest, context: Any
    ) -> pb.ListConnectionsResponse:
        """Lists the connections of the session, the newest first."""
        caller = current().caller
        page = Page.of(request)
        async with self._db.snapshot(caller.scope) as tx:
            session = await chat_sessions.found(tx, Acting.of(caller), request.chat_session_id)
            store = Connections(tx, session.tenant_id)
            rows = await store.page(session.id, _place(page), page.size + 1)
            rows, token = page.cut(rows, lambda row: (row.connect_time.isoformat(), str(row.id)))
            key = await self._keyring.key(tx, session.tenant_id) if rows else None
        origins = [content.open_origin(key, row.id, row.client, row.address) for row in rows] if key else []
        shown = [convert.connection(row, *origin) for row, origin in zip(rows, origins, strict=True)]
        return pb.ListConnectionsResponse(connections=shown, next_page_token=token)

    async def GetTokenUsage(self, request: pb.GetTokenUsageRequest, context: Any) -> TokenUsage:
        """Gets the sum of what the histories of the session cost, exact at every ack."""
        session_id = UUID(request.chat_session_id)
        return convert.token_usage(await self._readers.metadata(current().caller, session_id))

    async def ListTeamChatSessions(
        self, request: pb.ListTeamChatSessionsRequest, context: Any
    ) -> pb.ListTeamChatSessionsResponse:
        """Lists the sessions of all accounts on a team, or on none, without what was said in them."""
        page = Page.of(request)
        team_id, caller = UUID(request.team_id) if request.team_id else None, current().caller
        if team_id is not None and (caller.access is None or caller.access.team is None):
            raise TeamNotFound
        wanted = Wanted(
            team_id=team_id,
            no_team=team_id is None,
            account_id=UUID(request.account_id) if request.account_id else None,
            **common(request, newest_first=True),
        )
        shown, token = await self._listed(UUID(request.enterprise_id), wanted, page)
        return pb.ListTeamChatSessionsResponse(chat_sessions=shown, next_page_token=token)

    async def ListEnterpriseChatSessions(
        self, request: pb.ListEnterpriseChatSessionsRequest, context: Any
    ) -> pb.ListEnterpriseChatSessionsResponse:
        """Lists the sessions of all accounts of an enterprise, without what was said in them."""
        page = Page.of(request)
        wanted = Wanted(
            account_id=UUID(request.account_id) if request.account_id else None,
            **common(request, newest_first=True),
        )
        shown, token = await self._listed(UUID(request.enterprise_id), wanted, page)
        return pb.ListEnterpriseChatSessionsResponse(chat_sessions=shown, next_page_token=token)

    async def SearchChatSessions(
        self, request: pb.SearchChatSessionsRequest, context: Any
    ) -> pb.SearchChatSessionsResponse:
        """Lists what staff see of a tenant's sessions; the search is audited before it is answered."""
        page = Page.of(request)
        tenant_id = UUID(request.tenant_id)
        account_id = UUID(request.account_id) if request.account_id else None
        async with self._db.transaction(Scope.of(tenant_id)) as tx:
            rows = await ChatSessions(tx, tenant_id).newest(account_id, _id(page), page.size + 1)
            rows, token = page.cut(rows, lambda row: (str(row.id),))
            tx.audit(SEARCHED, tenant_id=tenant_id, account_id=account_id, found=len(rows))
        shown = [convert.foreign_chat_session(row) for row in rows]
        return pb.SearchChatSessionsResponse(chat_sessions=shown, next_page_token=token)

    async def _listed(
        self, enterprise_id: UUID, wanted: Wanted, page: Page
    ) -> tuple[list[pb.ChatSession], str]:
        async with self._db.snapshot(current().caller.scope) as tx:
            rows = await ChatSessions(tx, enterprise_id).page(wanted, _place(page), page.size + 1)
        rows, token = page.cut(rows, lambda row: title_search.key_of(wanted, row))
        return [convert.foreign_chat_session(row) for row in rows], token


def _place(page: Page) -> tuple[datetime, UUID] | None:
    """Reads a cursor of a time and an id."""
    if page.cursor is None:
        return None
    try:
        moment, id_ = page.cursor
        return datetime.fromisoformat(moment), UUID(id_)
    except ValueError as error:
        raise PageTokenInvalid from error


def _id(page: Page) -> UUID | None:
    """Reads a cursor of an id."""
    try:
        return UUID(page.cursor[0]) if page.cursor is not None else None
    except (ValueError, IndexError) as error:
        raise PageTokenInvalid from error


def _sequence(page: Page) -> int:
    """Reads a cursor of a sequence; the first page comes after 0."""
    try:
        return int(page.cursor[0]) if page.cursor is not None else 0
    except (ValueError, IndexError) as error:
        raise PageTokenInvalid from error
