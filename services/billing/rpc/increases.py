"""wrtn.billing.v1 BudgetIncreaseService."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.call import current
from chassis.database import Scope, Snapshot, Transaction
from chassis.idempotency import once
from chassis.paging import Page
from chassis.service import Runtime
from chassis.settings import ServiceSettings
from services.billing import convert
from services.billing.errors import BudgetIncreaseNotFound, TimeRangeInvalid
from services.billing.models import BudgetIncrease
from services.billing.spending import increases
from services.billing.spending.budgets import amount_of
from services.billing.spending.setters import Decider
from services.billing.store.increases import Increases as Store
from wrtn.billing.v1 import budget_increases_pb2 as pb
from wrtn.billing.v1.budget_increases_pb2_grpc import BudgetIncreaseServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class Increases(BudgetIncreaseServiceServicer):
    """Takes and decides requests for more budget."""

    def __init__(self, runtime: Runtime[ServiceSettings]) -> None:
        self._runtime = runtime
        self._keyring = runtime.keyring

    async def CreateBudgetIncrease(
        self, request: pb.CreateBudgetIncreaseRequest, context: Context
    ) -> pb.BudgetIncrease:
        """Requests more of a budget."""
        tenant_id = UUID(request.enterprise_id)
        requester = await self._decider(tenant_id, request.reason)
        amount, end_time = amount_of(request.amount), _moment(request.end_time)
        budget_id = UUID(request.budget_id)
        return await self._once(
            tenant_id,
            request,
            lambda tx: increases.request(
                tx, self._keyring, tenant_id, requester, budget_id, amount, end_time
            ),
        )

    async def GetBudgetIncrease(
        self, request: pb.GetBudgetIncreaseRequest, context: Context
    ) -> pb.BudgetIncrease:
        """Gets the increase."""
        tenant_id = UUID(request.enterprise_id)
        reader = await self._decider(tenant_id)
        async with self._runtime.db.snapshot(Scope.of(tenant_id)) as snapshot:
            row = await increases.visible(snapshot, tenant_id, reader, UUID(request.budget_increase_id))
            return await self._shown(snapshot, row)

    async def ListBudgetIncreases(
        self, request: pb.ListBudgetIncreasesRequest, context: Context
    ) -> pb.ListBudgetIncreasesResponse:
        """Lists increases, the newest first."""
        page, tenant_id = Page.of(request), UUID(request.enterprise_id)
        reader = await self._decider(tenant_id)
        budget_id = UUID(request.budget_id) if request.budget_id else None
        async with self._runtime.db.snapshot(Scope.of(tenant_id)) as snapshot:
            employee_id = await increases.listed_for(snapshot, tenant_id, reader, budget_id)
            found = await Store(snapshot, tenant_id).page(
                budget_id, employee_id, request.state, page.after(UUID), page.size + 1
            )
            rows, token = page.cut(found, key=lambda row: (str(row.id),))
            shown = [await self._shown(snapshot, row) for row in rows]
        return pb.ListBudgetIncreasesResponse(budget_increases=shown, next_page_token=token)

    async def ApproveBudgetIncrease(
        self, request: pb.ApproveBudgetIncreaseRequest, context: Context
    ) -> pb.BudgetIncrease:
        """Approves it, as asked for or otherwise."""
        tenant_id, increase_id = UUID(request.enterprise_id), UUID(request.budget_increase_id)
        decider = await self._decider(tenant_id, request.reason)
        amount = amount_of(request.amount) if request.amount else None
        end_time = _moment(request.end_time) if request.HasField("end_time") else None
        return await self._once(
            tenant_id,
            request,
            lambda tx: increases.decide(
                tx,
                self._keyring,
                tenant_id,
                decider,
                increase_id,
                approve=True,
                amount=amount,
                end_time=end_time,
            ),
        )

    async def RefuseBudgetIncrease(
        self, request: pb.RefuseBudgetIncreaseRequest, context: Context
    ) -> pb.BudgetIncrease:
        """Refuses it."""
        tenant_id, increase_id = UUID(request.enterprise_id), UUID(request.budget_increase_id)
        decider = await self._decider(tenant_id, request.reason)
        return await self._once(
            tenant_id,
            request,
            lambda tx: increases.decide(tx, self._keyring, tenant_id, decider, increase_id, approve=False),
        )

    async def WithdrawBudgetIncrease(
        self, request: pb.WithdrawBudgetIncreaseRequest, context: Context
    ) -> pb.BudgetIncrease:
        """Takes it back."""
        tenant_id, increase_id = UUID(request.enterprise_id), UUID(request.budget_increase_id)
        requester = await self._decider(tenant_id)
        return await self._once(
            tenant_id, request, lambda tx: increases.withdraw(tx, tenant_id, requester, increase_id)
        )

    async def _once(
        self, tenant_id: UUID, request: Any, work: Callable[[Transaction], Awaitable[BudgetIncrease]]
    ) -> pb.BudgetIncrease:
        async def shown(tx: Transaction) -> pb.BudgetIncrease:
            return await self._shown(tx, await work(tx))

        return await once(self._runtime.db, Scope.of(tenant_id), request, shown)

    async def _shown(self, tx: Snapshot, row: BudgetIncrease) -> pb.BudgetIncrease:
        return convert.budget_increase(row, *await increases.reasons_of(tx, self._keyring, row))

    async def _decider(self, tenant_id: UUID, reason: str = "") -> Decider:
        """Answers who calls, with their access at this moment; one that ended just now finds nothing."""
        caller = current().caller
        found = None
        if caller.account_id is not None:
            found = await self._runtime.access.resolve(
                tenant_id, caller.account_id, member_id=caller.member_id, fresh=True
            )
        if found is None:
            raise BudgetIncreaseNotFound("The increase does not exist.", field="budget_increase_id")
        return Decider(found.member_id, found, reason)


def _moment(given: Timestamp) -> datetime:
    try:
        return given.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise TimeRangeInvalid("The end must lie ahead, within a year.", field="end_time") from None
