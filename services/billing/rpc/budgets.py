"""wrtn.billing.v1 BudgetService."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import grpc

from chassis import masks
from chassis.call import Access, current
from chassis.database import Scope, Snapshot
from chassis.idempotency import once
from chassis.paging import Page
from chassis.service import Runtime
from chassis.settings import ServiceSettings
from services.billing import convert
from services.billing.errors import BudgetNotFound
from services.billing.models import Budget
from services.billing.spending import budgets, setters
from services.billing.spending.admission import ZERO
from services.billing.spending.setters import Decider
from services.billing.store.budgets import Budgets as Store
from services.billing.store.budgets import Periods
from services.billing.store.increases import Extras
from services.billing.store.spending import Spending
from wrtn.billing.v1 import budgets_pb2 as pb
from wrtn.billing.v1.budgets_pb2_grpc import BudgetServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class Budgets(BudgetServiceServicer):
    """Sets and shows budgets."""

    def __init__(self, runtime: Runtime[ServiceSettings]) -> None:
        self._runtime = runtime

    async def CreateBudget(self, request: pb.CreateBudgetRequest, context: Context) -> pb.Budget:
        """Decided by what enterprise says of the caller now, never by a cache."""
        tenant_id = UUID(request.enterprise_id)
        decider = await self._decider(tenant_id, request.reason)
        return await once(
            self._runtime.db,
            Scope.of(tenant_id),
            request,
            lambda tx: _built(budgets.create(tx, self._runtime.keyring, tenant_id, decider, request.budget)),
        )

    async def GetBudget(self, request: pb.GetBudgetRequest, context: Context) -> pb.Budget:
        """Gets the budget as it stands now."""
        tenant_id, access = UUID(request.enterprise_id), await self._access(UUID(request.enterprise_id))
        async with self._runtime.db.snapshot(Scope.of(tenant_id)) as snapshot:
            row = await _visible(snapshot, tenant_id, access, UUID(request.budget_id))
            return (await _standing(snapshot, tenant_id, [row]))[0]

    async def ListBudgets(self, request: pb.ListBudgetsRequest, context: Context) -> pb.ListBudgetsResponse:
        """Lists the budgets that hold, in the order in which they were set."""
        page = Page.of(request)
        tenant_id = UUID(request.enterprise_id)
        async with self._runtime.db.snapshot(Scope.of(tenant_id)) as snapshot:
            found = await Store(snapshot, tenant_id).page(
                UUID(request.team_id) if request.team_id else None,
                UUID(request.employee_id) if request.employee_id else None,
                page.after(UUID),
                page.size + 1,
            )
            rows, token = page.cut(found, key=lambda row: (str(row.id),))
            standing = await _standing(snapshot, tenant_id, rows)
        return pb.ListBudgetsResponse(budgets=standing, next_page_token=token)

    async def UpdateBudget(self, request: pb.UpdateBudgetRequest, context: Context) -> pb.Budget:
        """Changes terms of the budget."""
        tenant_id = UUID(request.enterprise_id)
        decider = await self._decider(tenant_id, request.reason)
        named = masks.changes(request.budget, request.update_mask, allowed=budgets.CHANGEABLE)
        changes = budgets.terms(request.budget, named)
        return await once(
            self._runtime.db,
            Scope.of(tenant_id),
            request,
            lambda tx: _changed(
                tx,
                budgets.update(
                    tx,
                    self._runtime.keyring,
                    tenant_id,
                    decider,
                    _id(request.budget.id),
                    request.budget.etag,
                    changes,
                ),
            ),
        )

    async def ArchiveBudget(self, request: pb.ArchiveBudgetRequest, context: Context) -> pb.Budget:
        """Lifts the budget."""
        tenant_id = UUID(request.enterprise_id)
        decider = await self._decider(tenant_id, request.reason)
        budget_id = UUID(request.budget_id)
        return await once(
            self._runtime.db,
            Scope.of(tenant_id),
            request,
            lambda tx: _changed(
                tx, budgets.archive(tx, self._runtime.keyring, tenant_id, decider, budget_id)
            ),
        )

    async def ListBudgetChanges(
        self, request: pb.ListBudgetChangesRequest, context: Context
    ) -> pb.ListBudgetChangesResponse:
        """Lists what the budget was after each change."""
        page = Page.of(request)
        tenant_id, access = UUID(request.enterprise_id), await self._access(UUID(request.enterprise_id))
        async with self._runtime.db.snapshot(Scope.of(tenant_id)) as snapshot:
            row = await _visible(snapshot, tenant_id, access, UUID(request.budget_id))
            found = await Store(snapshot, tenant_id).changes(row.id, page.after(int), page.size + 1)
            rows, token = page.cut(found, key=lambda change: (str(change.sequence),))
            reasons = [await budgets.reason_of(snapshot, self._runtime.keyring, each) for each in rows]
        return pb.ListBudgetChangesResponse(
            changes=[
                convert.budget_change(row, each, reason) for each, reason in zip(rows, reasons, strict=True)
            ],
            next_page_token=token,
        )

    async def _access(self, tenant_id: UUID) -> Access:
        """Answers the caller's access at this moment; one that ended just now finds nothing."""
        caller = current().caller
        if caller.account_id is None:
            raise _not_found()
        found = await self._runtime.access.resolve(
            tenant_id, caller.account_id, member_id=caller.member_id, fresh=True
        )
        if found is None:
            raise _not_found()
        return found

    async def _decider(self, tenant_id: UUID, reason: str) -> Decider:
        access = await self._access(tenant_id)
        return Decider(access.member_id, access, reason)


async def _built(work: Any) -> pb.Budget:
    row, period = await work
    return convert.budget(row, period)


async def _changed(tx: Snapshot, work: Any) -> pb.Budget:
    row, period = await work
    return convert.budget(row, period, await Extras(tx, row.tenant_id).of(row.id, tx.now))


async def _visible(snapshot: Snapshot, tenant_id: UUID, access: Access, budget_id: UUID) -> Budget:
    store = Store(snapshot, tenant_id)
    row = await store.get(budget_id)
    if row is None or not setters.may_see(access, row, await store.parents()):
        raise _not_found()
    return row


async def _standing(snapshot: Snapshot, tenant_id: UUID, rows: Sequence[Budget]) -> list[pb.Budget]:
    """Answers the budgets as they stand in their running periods; one without a row begins at zero."""
    ids = [row.id for row in rows]
    found = await Periods(snapshot, tenant_id).running(ids, snapshot.now)
    extras = await Extras(snapshot, tenant_id).added(ids, snapshot.now)
    zone = ZoneInfo(await Spending(snapshot, tenant_id).time_zone())
    return [
        convert.budget(
            row,
            found.get(row.id) or budgets.untouched(row, zone, snapshot.now),
            extras.get(row.id, ZERO),
        )
        for row in rows
    ]


def _id(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError:
        raise _not_found() from None


def _not_found() -> BudgetNotFound:
    return BudgetNotFound("The budget does not exist.", field="budget_id")
