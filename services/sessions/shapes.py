"""How each kind of session is named and shown: alike, but for the names of its messages and events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.sessions.models import SessionKind
from wrtn.sessions.v1 import chat_sessions_pb2 as chat
from wrtn.sessions.v1 import events_pb2 as events
from wrtn.sessions.v1 import procedure_sessions_pb2 as procedure

Shown = chat.ChatSession | procedure.ProcedureSession


@dataclass(frozen=True, slots=True)
class Shape:
    """The messages and events of one kind; which they are, the type checker cannot follow."""

    kind: SessionKind
    shown: Callable[..., Shown]
    created: Callable[..., Any]
    deleted: type[events.ChatSessionDeleted] | type[events.ProcedureSessionDeleted]
    undeleted: Callable[..., Any]
    purged: Callable[..., Any]
    connected: Callable[..., Any]
    own_page: Callable[..., Any]
    team_page: Callable[..., Any]
    enterprise_page: Callable[..., Any]
    search_page: Callable[..., Any]

    @property
    def id_field(self) -> str:
        """The field of requests and events that names the session: "chat_session_id"."""
        return f"{self.kind}_id"

    def page(self, kind: Callable[..., Any], sessions: list[Shown], token: str) -> Any:
        """Answers one page of a list."""
        return kind(**{f"{self.kind}s": sessions}, next_page_token=token)


SHAPES: Mapping[SessionKind, Shape] = {
    SessionKind.CHAT: Shape(
        kind=SessionKind.CHAT,
        shown=chat.ChatSession,
        created=events.ChatSessionCreated,
        deleted=events.ChatSessionDeleted,
        undeleted=events.ChatSessionUndeleted,
        purged=events.ChatSessionPurged,
        connected=chat.ConnectChatSessionResponse,
        own_page=chat.ListChatSessionsResponse,
        team_page=chat.ListTeamChatSessionsResponse,
        enterprise_page=chat.ListEnterpriseChatSessionsResponse,
        search_page=chat.SearchChatSessionsResponse,
    ),
    SessionKind.PROCEDURE: Shape(
        kind=SessionKind.PROCEDURE,
        shown=procedure.ProcedureSession,
        created=events.ProcedureSessionCreated,
        deleted=events.ProcedureSessionDeleted,
        undeleted=events.ProcedureSessionUndeleted,
        purged=events.ProcedureSessionPurged,
        connected=procedure.ConnectProcedureSessionResponse,
        own_page=procedure.ListProcedureSessionsResponse,
        team_page=procedure.ListTeamProcedureSessionsResponse,
        enterprise_page=procedure.ListEnterpriseProcedureSessionsResponse,
        search_page=procedure.SearchProcedureSessionsResponse,
    ),
}
