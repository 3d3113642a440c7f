"""ProcedureService: the catalogue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

from google.protobuf.message import Message

from chassis import masks
from chassis.access.employment import AccessCache
from chassis.call import Caller, current
from chassis.database import Database, Scope, Snapshot, Transaction
from chassis.errors import NotFound
from chassis.idempotency import once
from chassis.paging import Page
from services.sessions import procedures
from services.sessions.errors import NotEmployed, ProcedureNotFound, ProcedureVersionNotFound
from services.sessions.models import PLATFORM, Procedure, ProcedureState
from services.sessions.store import Procedures
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_ADMINISTRATOR, TITLE_MANAGER
from wrtn.sessions.v1 import procedures_pb2 as pb
from wrtn.sessions.v1.procedures_pb2_grpc import ProcedureServiceServicer

R = TypeVar("R", bound=Message)

_OWNER = pb.ListProceduresRequest


class ProcedureRpc(ProcedureServiceServicer):
    """The rule says who changes something; which catalogue is theirs, and what they see, is decided here."""

    def __init__(self, db: Database, access: AccessCache) -> None:
        self._db = db
        self._access = access

    async def CreateProcedure(self, request: pb.CreateProcedureRequest, context: Any) -> pb.Procedure:
        """Creates a draft."""

        async def work(tx: Transaction, owner_id: UUID, member_id: UUID) -> pb.Procedure:
            return await procedures.create(tx, owner_id, member_id, request)

        return await self._change(request, work)

    async def GetProcedure(self, request: pb.GetProcedureRequest, context: Any) -> pb.Procedure:
        """Gets a procedure."""
        owners = _seen()
        async with self._db.snapshot(Scope.of(*owners)) as tx:
            return procedures.shown(await self._visible(tx, owners, request.procedure_id))

    async def ListProcedures(
        self, request: pb.ListProceduresRequest, context: Any
    ) -> pb.ListProceduresResponse:
        """Lists what the caller sees."""
        page = Page.of(request)
        wanted = {_OWNER.OWNER_PLATFORM: (PLATFORM,), _OWNER.OWNER_ENTERPRISE: _seen()[1:]}
        owners = wanted.get(request.owner, _seen())
        kept = [each for each in owners if await self._keeps(each)]
        async with self._db.snapshot(Scope.of(*owners)) as tx:
            rows = await Procedures(tx, owners).page(
                kept,
                request.state,
                request.code_prefix,
                page.after(lambda owner, code: (UUID(owner), code)),
                page.size + 1,
            )
        rows, token = page.cut(rows, lambda row: (str(row.tenant_id), row.code))
        return pb.ListProceduresResponse(procedures=map(procedures.shown, rows), next_page_token=token)

    async def UpdateProcedure(self, request: pb.UpdateProcedureRequest, context: Any) -> pb.Procedure:
        """Changes name or description."""
        changes = masks.changes(
            request.procedure, request.update_mask, allowed=("display_name", "description")
        )

        async def work(tx: Transaction, owner_id: UUID, member_id: UUID) -> pb.Procedure:
            return await procedures.change(tx, owner_id, request.procedure, changes)

        return await self._change(request, work)

    async def CreateProcedureVersion(
        self, request: pb.CreateProcedureVersionRequest, context: Any
    ) -> pb.ProcedureVersion:
        """Adds a version."""

        async def work(tx: Transaction, owner_id: UUID, member_id: UUID) -> pb.ProcedureVersion:
            return await procedures.add_version(tx, owner_id, member_id, request)

        return await self._change(request, work)

    async def GetProcedureVersion(
        self, request: pb.GetProcedureVersionRequest, context: Any
    ) -> pb.ProcedureVersion:
        """Gets a version."""
        owners = _seen()
        async with self._db.snapshot(Scope.of(*owners)) as tx:
            procedure = await self._visible(tx, owners, request.procedure_id)
            row = await Procedures(tx, owners).version(procedure.id, request.version)
        if row is None:
            raise ProcedureVersionNotFound
        return procedures.shown_version(row)

    async def ListProcedureVersions(
        self, request: pb.ListProcedureVersionsRequest, context: Any
    ) -> pb.ListProcedureVersionsResponse:
        """Lists the versions, the newest first."""
        page, owners = Page.of(request), _seen()
        async with self._db.snapshot(Scope.of(*owners)) as tx:
            procedure = await self._visible(tx, owners, request.procedure_id)
            before = page.after(int) or 0 or None
            rows = await Procedures(tx, owners).versions(procedure.id, before, page.size + 1)
        rows, token = page.cut(rows, lambda row: (str(row.version),))
        versions = [procedures.shown_version(row) for row in rows]
        return pb.ListProcedureVersionsResponse(versions=versions, next_page_token=token)

    async def PublishProcedure(self, request: pb.PublishProcedureRequest, context: Any) -> pb.Procedure:
        """Publishes a procedure."""

        async def work(tx: Transaction, owner_id: UUID, member_id: UUID) -> pb.Procedure:
            return await procedures.publish(tx, owner_id, request)

        return await self._change(request, work)

    async def WithdrawProcedure(self, request: pb.WithdrawProcedureRequest, context: Any) -> pb.Procedure:
        """Withdraws a procedure."""

        async def work(tx: Transaction, owner_id: UUID, member_id: UUID) -> pb.Procedure:
            return await procedures.withdraw(tx, owner_id, request)

        return await self._change(request, work)

    async def _change(self, request: Any, work: Callable[[Transaction, UUID, UUID], Awaitable[R]]) -> R:
        """Runs `work` with the owner whose catalogue the caller keeps, and the caller's member."""
        member_id = current().caller.member_id
        if member_id is None:
            raise NotEmployed
        owner_id = UUID(request.enterprise_id) if request.enterprise_id else PLATFORM
        if not await self._keeps(owner_id):
            raise NotFound("The enterprise does not exist.")

        async def working(tx: Transaction) -> R:
            return await work(tx, owner_id, member_id)

        return await once(self._db, Scope.of(owner_id, member_id=member_id), request, working)

    async def _keeps(self, owner_id: UUID) -> bool:
        """Whether the caller keeps the owner's catalogue; the rule lets staff pass for any enterprise."""
        caller = current().caller
        if owner_id == PLATFORM:
            return caller.staff >= STAFF_RIGHT_ADMINISTRATOR
        if caller.access is not None:
            return caller.access.enterprise_id == owner_id
        if caller.account_id is None or owner_id != caller.tenant_id or owner_id == caller.account_id:
            return False
        found = await self._access.resolve(owner_id, caller.account_id, member_id=caller.member_id)
        return found is not None and found.title >= TITLE_MANAGER

    async def _visible(self, tx: Snapshot, owners: tuple[UUID, ...], procedure_id: str) -> Procedure:
        row = await Procedures(tx, owners).get(UUID(procedure_id))
        if row is None or (row.state == ProcedureState.DRAFT and not await self._keeps(row.tenant_id)):
            raise ProcedureNotFound
        return row


def _seen() -> tuple[UUID, ...]:
    """Answers the owners whose procedures the caller sees: the platform, and the tenant of the account."""
    caller: Caller = current().caller
    return (PLATFORM,) if caller.tenant_id is None else (PLATFORM, caller.tenant_id)
