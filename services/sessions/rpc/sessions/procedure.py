"""ProcedureSessionService: what people see of the runs of their procedures."""

from __future__ import annotations

from uuid import UUID

from chassis.database import Scope
from services.sessions import procedures
from services.sessions.acting import Acting
from services.sessions.models import PLATFORM, SessionKind
from services.sessions.rpc.sessions.contents import SessionContents
from services.sessions.rpc.sessions.lists import SessionLists
from services.sessions.rpc.sessions.own import OwnSessions
from services.sessions.sessions import Opening
from services.sessions.shapes import SHAPES
from wrtn.sessions.v1.procedure_sessions_pb2 import CreateProcedureSessionRequest
from wrtn.sessions.v1.procedure_sessions_pb2_grpc import ProcedureSessionServiceServicer


class ProcedureSessionRpc(OwnSessions, SessionContents, SessionLists, ProcedureSessionServiceServicer):
    """The names of the contract, for what all kinds have in common."""

    shape = SHAPES[SessionKind.PROCEDURE]

    CreateProcedureSession = OwnSessions.create
    GetProcedureSession = SessionContents.get
    ListProcedureSessions = OwnSessions.list_own
    UpdateProcedureSession = OwnSessions.update
    DeleteProcedureSession = OwnSessions.delete
    UndeleteProcedureSession = OwnSessions.undelete
    ExportProcedureSession = SessionContents.export
    ConnectProcedureSession = OwnSessions.connect
    ListProcedureHistories = SessionContents.list_histories
    ListProcedureConnections = OwnSessions.list_connections
    GetProcedureTokenUsage = SessionContents.get_token_usage
    ListTeamProcedureSessions = SessionLists.list_team
    ListEnterpriseProcedureSessions = SessionLists.list_enterprise
    SearchProcedureSessions = SessionLists.search

    async def _opening(self, acting: Acting, request: CreateProcedureSessionRequest) -> Opening:
        procedure_id = UUID(request.procedure_id)
        async with self._db.snapshot(Scope.of(PLATFORM, acting.tenant_id)) as tx:
            version = await procedures.runnable(tx, acting.tenant_id, procedure_id, request.procedure_version)
        return Opening(
            request.model,
            UUID(request.team_id) if request.team_id else None,
            request.title,
            procedure_id,
            version,
        )
