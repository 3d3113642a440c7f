"""wrtn.billing.v1 SubscriptionService."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import grpc

from chassis.call import current
from chassis.database import Scope, Snapshot, Transaction
from chassis.idempotency import once
from chassis.paging import Page
from chassis.service import Runtime
from chassis.settings import ServiceSettings
from services.billing import models
from services.billing.errors import PlanNotFound, SubscriptionNotFound
from services.billing.plans import convert_plans, subscriptions
from services.billing.plans.subscriptions import Wanted
from services.billing.readers import Reader, reading
from services.billing.store.plans import Plans
from services.billing.store.subscriptions import Subscriptions as Store
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_ADMINISTRATOR
from wrtn.billing.v1 import subscriptions_pb2 as pb
from wrtn.billing.v1.subscriptions_pb2_grpc import SubscriptionServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]
_Choice = pb.StartSubscriptionRequest | pb.ChangeSubscriptionRequest
_Verb = Callable[[Transaction, UUID, str], Awaitable[models.Subscription]]
_Plain = (
    pb.CancelSubscriptionRequest
    | pb.KeepSubscriptionRequest
    | pb.PauseSubscriptionRequest
    | pb.ResumeSubscriptionRequest
)


class Subscriptions(SubscriptionServiceServicer):
    """Keeps and shows the subscription of an enterprise."""

    def __init__(self, runtime: Runtime[ServiceSettings]) -> None:
        self._runtime = runtime
        self._db = runtime.db

    async def StartSubscription(
        self, request: pb.StartSubscriptionRequest, context: Context
    ) -> pb.Subscription:
        """Starts it."""
        wanted = _wanted(request)
        return await self._done(
            request,
            lambda tx, tenant_id: subscriptions.start(tx, tenant_id, wanted, trial=request.trial),
        )

    async def GetSubscription(self, request: pb.GetSubscriptionRequest, context: Context) -> pb.Subscription:
        """Gets it, up to date."""
        tenant_id = UUID(request.enterprise_id)
        async with self._db.transaction(Scope.of(tenant_id)) as tx:
            await subscriptions.bring_up_to_date(tx, tenant_id)
        async with reading(self._runtime, tenant_id, "subscription.read") as (snapshot, reader):
            return await _shown(snapshot, await _newest(snapshot, reader))

    async def ListSubscriptionPhases(
        self, request: pb.ListSubscriptionPhasesRequest, context: Context
    ) -> pb.ListSubscriptionPhasesResponse:
        """Lists what it was from when on."""
        page, tenant_id = Page.of(request), UUID(request.enterprise_id)
        async with reading(self._runtime, tenant_id, "subscription.read") as (snapshot, reader):
            row = await _newest(snapshot, reader)
            found = await Store(snapshot, tenant_id).page(row.id, page.after(int), page.size + 1)
        rows, token = page.cut(found, key=lambda phase: (str(phase.sequence),))
        return pb.ListSubscriptionPhasesResponse(phases=map(convert_plans.phase, rows), next_page_token=token)

    async def ChangeSubscription(
        self, request: pb.ChangeSubscriptionRequest, context: Context
    ) -> pb.Subscription:
        """Changes plan and seats."""
        wanted = _wanted(request)
        return await self._done(
            request, lambda tx, tenant_id: subscriptions.change(tx, tenant_id, wanted, request.etag)
        )

    async def CancelSubscription(
        self, request: pb.CancelSubscriptionRequest, context: Context
    ) -> pb.Subscription:
        """Cancels it at the end of what runs."""
        return await self._turned(request, subscriptions.cancel)

    async def KeepSubscription(
        self, request: pb.KeepSubscriptionRequest, context: Context
    ) -> pb.Subscription:
        """Takes the cancellation back."""
        return await self._turned(request, subscriptions.keep)

    async def PauseSubscription(
        self, request: pb.PauseSubscriptionRequest, context: Context
    ) -> pb.Subscription:
        """Halts it."""
        return await self._turned(request, subscriptions.pause)

    async def ResumeSubscription(
        self, request: pb.ResumeSubscriptionRequest, context: Context
    ) -> pb.Subscription:
        """Lets it go on."""
        return await self._turned(request, subscriptions.resume)

    async def DiscountSubscription(
        self, request: pb.DiscountSubscriptionRequest, context: Context
    ) -> pb.Subscription:
        """Sets the discount on fees."""
        percent = Decimal(request.discount)
        return await self._done(
            request, lambda tx, tenant_id: subscriptions.discount(tx, tenant_id, percent, request.etag)
        )

    async def _turned(self, request: _Plain, verb: _Verb) -> pb.Subscription:
        return await self._done(request, lambda tx, tenant_id: verb(tx, tenant_id, request.etag))

    async def _done(
        self,
        request: _Choice | _Plain | pb.DiscountSubscriptionRequest,
        verb: Callable[[Transaction, UUID], Awaitable[models.Subscription]],
    ) -> pb.Subscription:
        tenant_id = UUID(request.enterprise_id)

        async def work(tx: Transaction) -> pb.Subscription:
            return await _shown(tx, await verb(tx, tenant_id))

        return await once(self._db, Scope.of(tenant_id), request, work)


def _wanted(request: _Choice) -> Wanted:
    staff = current().caller.staff >= STAFF_RIGHT_ADMINISTRATOR
    return Wanted(UUID(request.plan_id), request.seats, staff)


async def _newest(tx: Snapshot, reader: Reader) -> models.Subscription:
    row = await Store(tx, reader.tenant_id).newest()
    if row is None or not reader.whole:
        raise SubscriptionNotFound("The enterprise never subscribed: start a subscription.")
    return row


async def _shown(tx: Snapshot, row: models.Subscription) -> pb.Subscription:
    plan = await Plans(tx).get(row.plan_id, row.plan_version)
    if plan is None:
        raise PlanNotFound("The plan does not exist.", field="plan_id")
    return convert_plans.subscription(row, plan)
