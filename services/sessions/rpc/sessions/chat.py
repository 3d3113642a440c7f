"""ChatSessionService: what people see of their conversations."""

from __future__ import annotations

from uuid import UUID

from services.sessions.acting import Acting
from services.sessions.models import SessionKind
from services.sessions.rpc.sessions.contents import SessionContents
from services.sessions.rpc.sessions.lists import SessionLists
from services.sessions.rpc.sessions.own import OwnSessions
from services.sessions.sessions import Opening
from services.sessions.shapes import SHAPES
from wrtn.sessions.v1.chat_sessions_pb2 import CreateChatSessionRequest
from wrtn.sessions.v1.chat_sessions_pb2_grpc import ChatSessionServiceServicer


class ChatSessionRpc(OwnSessions, SessionContents, SessionLists, ChatSessionServiceServicer):
    """The names of the contract, for what all kinds have in common."""

    shape = SHAPES[SessionKind.CHAT]

    CreateChatSession = OwnSessions.create
    GetChatSession = SessionContents.get
    ListChatSessions = OwnSessions.list_own
    UpdateChatSession = OwnSessions.update
    DeleteChatSession = OwnSessions.delete
    UndeleteChatSession = OwnSessions.undelete
    ExportChatSession = SessionContents.export
    ConnectChatSession = OwnSessions.connect
    ListHistories = SessionContents.list_histories
    ListConnections = OwnSessions.list_connections
    GetTokenUsage = SessionContents.get_token_usage
    ListTeamChatSessions = SessionLists.list_team
    ListEnterpriseChatSessions = SessionLists.list_enterprise
    SearchChatSessions = SessionLists.search

    async def _opening(self, acting: Acting, request: CreateChatSessionRequest) -> Opening:
        return Opening(request.model, UUID(request.team_id) if request.team_id else None, request.title)
