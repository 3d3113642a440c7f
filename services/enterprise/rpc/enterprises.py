"""wrtn.enterprise.v1 EnterpriseService."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import grpc

from chassis.audit.acts import PLATFORM
from chassis.call import Caller, current
from chassis.database import Scope, Snapshot
from chassis.errors import NotFound
from chassis.idempotency import once
from chassis.paging import Page, time_and_id
from chassis.service import Runtime
from services.enterprise import convert, reasons, store
from services.enterprise.enterprises import enterprises, states
from services.enterprise.identity import Identity
from services.enterprise.models import Enterprise
from services.enterprise.rpc.asking import sure
from services.enterprise.rpc.deciding import Deciding
from services.enterprise.settings import EnterpriseSettings
from wrtn.access.v1.access_pb2 import StaffRight
from wrtn.enterprise.v1 import enterprises_pb2
from wrtn.enterprise.v1.enterprises_pb2_grpc import EnterpriseServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class Enterprises(EnterpriseServiceServicer):
    """Creates, changes and shows enterprises, and ends them."""

    def __init__(self, runtime: Runtime[EnterpriseSettings], identity: Identity, deciding: Deciding) -> None:
        self._runtime = runtime
        self._identity = identity
        self._deciding = deciding

    async def CreateEnterprise(
        self, request: enterprises_pb2.CreateEnterpriseRequest, context: Context
    ) -> enterprises_pb2.CreateEnterpriseResponse:
        """Creates the enterprise, then has its owner's account opened."""
        runtime = self._runtime
        member_id = sure(current().caller.member_id)
        enterprise_id = runtime.clock.new_id()
        created = await once(
            runtime.db,
            Scope.of(enterprise_id, member_id=member_id),
            request,
            lambda tx: enterprises.create(tx, runtime.keyring, enterprise_id, member_id, request),
        )
        await self._identity.open_account(
            account_id=created.account_id, enterprise_id=created.enterprise.id, member_id=member_id
        )
        return created

    async def GetEnterprise(
        self, request: enterprises_pb2.GetEnterpriseRequest, context: Context
    ) -> enterprises_pb2.Enterprise:
        """Gets the enterprise. Staff are of none: that they look at one is audited for its owners."""
        tenant_id, caller = UUID(request.enterprise_id), current().caller
        if caller.access is not None:
            async with self._runtime.db.snapshot(Scope.of(tenant_id)) as snapshot:
                return convert.enterprise(await _existing(snapshot, tenant_id))
        await self._identity.require_acting(caller, staff=StaffRight.STAFF_RIGHT_MODERATOR)
        async with self._runtime.db.transaction(Scope.of(tenant_id)) as tx:
            row = await _existing(tx, tenant_id)
            tx.audit("enterprise.read", tenant_id=tenant_id, target_id=tenant_id)
            return convert.enterprise(row)

    async def UpdateEnterprise(
        self, request: enterprises_pb2.UpdateEnterpriseRequest, context: Context
    ) -> enterprises_pb2.Enterprise:
        """Changes the enterprise."""
        return await self._deciding.decide(request.enterprise.id, request, enterprises.update)

    async def SetLogo(
        self, request: enterprises_pb2.SetLogoRequest, context: Context
    ) -> enterprises_pb2.Enterprise:
        """Sets the logo."""
        return await self._deciding.decide(request.enterprise_id, request, enterprises.set_logo)

    async def GetLogo(
        self, request: enterprises_pb2.GetLogoRequest, context: Context
    ) -> enterprises_pb2.Logo:
        """Gets the logo."""
        async with self._runtime.db.snapshot(current().caller.scope) as tx:
            known = store.Enterprises(tx, UUID(request.enterprise_id))
            logo, row = await known.logo(), sure(await known.get())
        if logo is None:
            return enterprises_pb2.Logo()
        return enterprises_pb2.Logo(content_type=logo.content_type, image=logo.image, etag=row.logo_etag)

    async def SuspendEnterprise(
        self, request: enterprises_pb2.SuspendEnterpriseRequest, context: Context
    ) -> enterprises_pb2.Enterprise:
        """Suspends the enterprise."""
        return await self._deciding.decide_for(
            request.enterprise_id, request, states.suspend, staff=StaffRight.STAFF_RIGHT_MODERATOR
        )

    async def ReinstateEnterprise(
        self, request: enterprises_pb2.ReinstateEnterpriseRequest, context: Context
    ) -> enterprises_pb2.Enterprise:
        """Ends the suspension."""
        return await self._deciding.decide_for(
            request.enterprise_id, request, states.reinstate, staff=StaffRight.STAFF_RIGHT_MODERATOR
        )

    async def CloseEnterprise(
        self, request: enterprises_pb2.CloseEnterpriseRequest, context: Context
    ) -> enterprises_pb2.Enterprise:
        """Closes the enterprise."""
        return await self._deciding.decide(request.enterprise_id, request, states.close)

    async def ReopenEnterprise(
        self, request: enterprises_pb2.ReopenEnterpriseRequest, context: Context
    ) -> enterprises_pb2.Enterprise:
        """Reopens the enterprise."""
        return await self._deciding.decide_for(request.enterprise_id, request, states.reopen)

    async def ListEnterprises(
        self, request: enterprises_pb2.ListEnterprisesRequest, context: Context
    ) -> enterprises_pb2.ListEnterprisesResponse:
        """Lists the caller's employers: found by the member's own rows, then read as their tenants."""
        page = Page.of(request)
        member_id = sure(current().caller.member_id)
        async with self._runtime.db.snapshot(Scope.of(member_id=member_id)) as tx:
            found = await store.employers(tx, member_id, page.after(UUID), page.size + 1)
        ids, token = page.cut(found, key=lambda tenant_id: (str(tenant_id),))
        async with self._runtime.db.snapshot(Scope.of(*ids)) as tx:
            rows = await store.enterprises(tx, ids)
        return enterprises_pb2.ListEnterprisesResponse(
            enterprises=[convert.enterprise(row) for row in rows], next_page_token=token
        )

    async def ListStateChanges(
        self, request: enterprises_pb2.ListStateChangesRequest, context: Context
    ) -> enterprises_pb2.ListStateChangesResponse:
        """Lists the record to owners, and to staff, who see it whole and on record."""
        page, tenant_id, caller = Page.of(request), UUID(request.enterprise_id), current().caller
        staff = caller.staff >= StaffRight.STAFF_RIGHT_MODERATOR
        async with self._record(tenant_id, caller, staff=staff) as tx:
            rows = await store.StateChanges(tx, tenant_id).page(page.after(time_and_id), page.size + 1)
            found, token = page.cut(rows, key=lambda row: (row.create_time.isoformat(), str(row.id)))
            notes = [(row.id, row.note) for row in found]
            said = await reasons.opened(tx, self._runtime.keyring, states.NOTE, tenant_id, notes)
        shown = [
            convert.state_change(row, reason, whole=staff or not states.decided_by_staff(row))
            for row, reason in zip(found, said, strict=True)
        ]
        return enterprises_pb2.ListStateChangesResponse(state_changes=shown, next_page_token=token)

    @asynccontextmanager
    async def _record(self, tenant_id: UUID, caller: Caller, *, staff: bool) -> AsyncIterator[Snapshot]:
        """Opens the record of an enterprise to its owners, and to who is staff now: that is audited."""
        if not staff:
            async with self._runtime.db.snapshot(Scope.of(tenant_id)) as snapshot:
                await states.require_owner(snapshot, tenant_id, sure(caller.member_id))
                yield snapshot
            return
        await self._identity.require_acting(caller, staff=StaffRight.STAFF_RIGHT_MODERATOR)
        async with self._runtime.db.transaction(Scope.of(tenant_id)) as tx:
            await _existing(tx, tenant_id)
            tx.audit("enterprise.state_changes_read", tenant_id=tenant_id, target_id=tenant_id)
            yield tx

    async def SearchEnterprises(
        self, request: enterprises_pb2.SearchEnterprisesRequest, context: Context
    ) -> enterprises_pb2.SearchEnterprisesResponse:
        """Lists the enterprises of the suite to who is staff at this moment; the search itself is audited."""
        page = Page.of(request)
        before = page.after(time_and_id)
        await self._identity.require_acting(current().caller, staff=StaffRight.STAFF_RIGHT_MODERATOR)
        async with self._runtime.db.transaction(Scope.of(PLATFORM)) as tx:
            rows = await store.newest_enterprises(tx, request.slug, request.state, before, page.size + 1)
            found, token = page.cut(rows, key=lambda row: (row.create_time.isoformat(), str(row.tenant_id)))
            tx.audit(
                "enterprises.searched",
                tenant_id=PLATFORM,
                slug=request.slug,
                state=request.state,
                found=len(found),
            )
            shown = [convert.enterprise(row) for row in found]
        return enterprises_pb2.SearchEnterprisesResponse(enterprises=shown, next_page_token=token)


async def _existing(snapshot: Snapshot, tenant_id: UUID) -> Enterprise:
    row = await store.Enterprises(snapshot, tenant_id).get()
    if row is None:
        raise NotFound("The enterprise does not exist.")
    return row
