"""RetentionService and LegalHoldService: how long things are kept, and what is held."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chassis import masks
from chassis.call import current
from chassis.crypto import Keyring
from chassis.database import Database, Transaction
from chassis.idempotency import once
from chassis.paging import Page, time_and_id
from services.sessions import legal_holds, retentions
from services.sessions.errors import NotEmployed
from services.sessions.store import LegalHolds, PlanRetentions, Retentions
from wrtn.sessions.v1 import legal_holds_pb2, retention_pb2
from wrtn.sessions.v1.legal_holds_pb2_grpc import LegalHoldServiceServicer
from wrtn.sessions.v1.retention_pb2_grpc import RetentionServiceServicer


class RetentionRpc(RetentionServiceServicer):
    """The rule says who; the rest is here."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def GetRetention(
        self, request: retention_pb2.GetRetentionRequest, context: Any
    ) -> retention_pb2.Retention:
        """Gets the retention."""
        tenant_id = UUID(request.enterprise_id)
        async with self._db.snapshot(current().caller.scope) as tx:
            row = await Retentions(tx, tenant_id).get()
            return retentions.shown(tenant_id, row, await PlanRetentions(tx, tenant_id).days())

    async def UpdateRetention(
        self, request: retention_pb2.UpdateRetentionRequest, context: Any
    ) -> retention_pb2.Retention:
        """Changes the retention."""
        tenant_id = UUID(request.retention.enterprise_id)
        changes = masks.changes(request.retention, request.update_mask, allowed=("keep_days", "deleted_days"))

        async def work(tx: Transaction) -> retention_pb2.Retention:
            row = await retentions.change(tx, tenant_id, changes, request.reason)
            return retentions.shown(tenant_id, row, await PlanRetentions(tx, tenant_id).days())

        return await once(self._db, current().caller.scope, request, work)


class LegalHoldRpc(LegalHoldServiceServicer):
    """The rule says who; the rest is here."""

    def __init__(self, db: Database, keyring: Keyring) -> None:
        self._db = db
        self._keyring = keyring

    async def CreateLegalHold(
        self, request: legal_holds_pb2.CreateLegalHoldRequest, context: Any
    ) -> legal_holds_pb2.LegalHold:
        """Places a hold."""
        caller = current().caller
        member_id = caller.member_id
        if member_id is None:
            raise NotEmployed

        async def work(tx: Transaction) -> legal_holds_pb2.LegalHold:
            return await legal_holds.place(tx, self._keyring, member_id, request)

        return await once(self._db, caller.scope, request, work)

    async def ListLegalHolds(
        self, request: legal_holds_pb2.ListLegalHoldsRequest, context: Any
    ) -> legal_holds_pb2.ListLegalHoldsResponse:
        """Lists the holds that last."""
        page, tenant_id = Page.of(request), UUID(request.enterprise_id)
        async with self._db.snapshot(current().caller.scope) as tx:
            rows = await LegalHolds(tx, tenant_id).page(page.after(time_and_id), page.size + 1)
            rows, token = page.cut(rows, lambda row: (row.create_time.isoformat(), str(row.id)))
            key = await self._keyring.key(tx, tenant_id) if rows else None
        shown = [legal_holds.shown(row, key) for row in rows] if key is not None else []
        return legal_holds_pb2.ListLegalHoldsResponse(legal_holds=shown, next_page_token=token)

    async def ReleaseLegalHold(
        self, request: legal_holds_pb2.ReleaseLegalHoldRequest, context: Any
    ) -> legal_holds_pb2.LegalHold:
        """Ends a hold."""
        tenant_id, hold_id = UUID(request.enterprise_id), UUID(request.legal_hold_id)

        async def work(tx: Transaction) -> legal_holds_pb2.LegalHold:
            return await legal_holds.release(tx, self._keyring, tenant_id, hold_id, request.reason)

        return await once(self._db, current().caller.scope, request, work)
