"""Procedures and their sessions, for tests: what people, websocket servers and those who keep them do."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from chassis.testing.callers import Known
from tests.sessions.make import RECORD, Line, Session, Sessions
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_ADMINISTRATOR
from wrtn.sessions.v1 import procedure_sessions_pb2 as runs
from wrtn.sessions.v1 import procedures_pb2 as pb
from wrtn.sessions.v1.chat_sessions_pb2 import History
from wrtn.sessions.v1.procedure_sessions_pb2_grpc import ProcedureSessionServiceStub
from wrtn.sessions.v1.procedures_pb2_grpc import ProcedureServiceStub
from wrtn.sessions.v1.recorder_pb2 import Frame

FORM = {
    "type": "object",
    "properties": {
        "to": {"type": "string", "pattern": "^[a-z]+@example[.]com$"},
        "copies": {"type": "integer", "minimum": 1},
    },
    "required": ["to"],
    "additionalProperties": False,
}
VALUE = {"type": "object", "properties": {"sent": {"type": "boolean"}}, "required": ["sent"]}


class Running:
    """The catalogue and the sessions of procedures, through their own interfaces."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self.catalogue = ProcedureServiceStub(sessions.channel)
        self.runs = ProcedureSessionServiceStub(sessions.channel)
        self.administrator = sessions.callers.member(staff=STAFF_RIGHT_ADMINISTRATOR)

    async def create(self, by: Known | None = None, **fields: str) -> pb.Procedure:
        """Creates a draft: of the platform by the administrator, or by a manager of their enterprise."""
        given = {
            "enterprise_id": "" if by is None else str(by.tenant_id),
            "code": "send-mail",
            "display_name": "Sends a mail",
            "input_form": json.dumps(FORM),
            "output_schema": json.dumps(VALUE),
        }
        request = pb.CreateProcedureRequest(**(given | fields))
        return await self.catalogue.CreateProcedure(request, metadata=(by or self.administrator).metadata)

    async def publish(self, procedure_id: str, by: Known | None = None) -> pb.Procedure:
        """Publishes a procedure."""
        request = pb.PublishProcedureRequest(
            enterprise_id="" if by is None else str(by.tenant_id), procedure_id=procedure_id
        )
        return await self.catalogue.PublishProcedure(request, metadata=(by or self.administrator).metadata)

    async def published(self, by: Known | None = None, **fields: str) -> str:
        """Creates and publishes a procedure; answers its id."""
        return (await self.publish((await self.create(by, **fields)).id, by)).id

    async def withdraw(self, procedure_id: str) -> pb.Procedure:
        """Withdraws a procedure of the platform."""
        request = pb.WithdrawProcedureRequest(procedure_id=procedure_id)
        return await self.catalogue.WithdrawProcedure(request, metadata=self.administrator.metadata)

    async def version(self, procedure_id: str, form: object) -> pb.ProcedureVersion:
        """Adds a version to a procedure of the platform."""
        request = pb.CreateProcedureVersionRequest(procedure_id=procedure_id, input_form=json.dumps(form))
        return await self.catalogue.CreateProcedureVersion(request, metadata=self.administrator.metadata)

    async def get(self, procedure_id: str, by: Known) -> pb.Procedure:
        """Gets a procedure."""
        return await self.catalogue.GetProcedure(
            pb.GetProcedureRequest(procedure_id=procedure_id), metadata=by.metadata
        )

    async def codes(self, by: Known, **fields: Any) -> list[str]:
        """Lists the codes of what the caller sees."""
        request = pb.ListProceduresRequest(**fields)
        page = await self.catalogue.ListProcedures(request, metadata=by.metadata)
        return [each.code for each in page.procedures]

    async def session(
        self, procedure_id: str, owner: Known | None = None, team_id: UUID | None = None, **fields: Any
    ) -> Session:
        """Creates a session of the procedure, of a new member unless one is given."""
        owner = owner or self.sessions.callers.member()
        request = runs.CreateProcedureSessionRequest(
            procedure_id=procedure_id, team_id=str(team_id or ""), **fields
        )
        created = await self.runs.CreateProcedureSession(request, metadata=owner.metadata)
        return Session(created.id, owner, self.sessions.callers.credential(RECORD))

    async def ticket(self, session: Session) -> str:
        """Asks for a ticket."""
        request = runs.ConnectProcedureSessionRequest(procedure_session_id=session.id)
        return (await self.runs.ConnectProcedureSession(request, metadata=session.owner.metadata)).ticket

    async def attach(self, session: Session) -> Line:
        """Opens a stream, with a new ticket."""
        return await self.sessions.attach(session, ticket=await self.ticket(session))

    async def histories(self, session: Session) -> list[History]:
        """Lists the histories of a session."""
        request = runs.ListProcedureHistoriesRequest(procedure_session_id=session.id)
        page = await self.runs.ListProcedureHistories(request, metadata=session.owner.metadata)
        return list(page.histories)

    def call(self, arguments: object, **fields: Any) -> Frame:
        """Makes the frame of a run; `token_usage` and `model` are the frame's, the rest is the body's."""
        own = {name: fields.pop(name) for name in ("token_usage", "model") if name in fields}
        body = json.dumps({"arguments": arguments, **fields})
        return self.sessions.frame(body, type="procedure_call", **own)
