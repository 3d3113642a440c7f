"""wrtn.billing.v1 PlanService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis.database import Scope, Transaction
from chassis.idempotency import once
from chassis.paging import Page
from chassis.service import Runtime
from chassis.settings import ServiceSettings
from services.billing.errors import PlanNotFound
from services.billing.plans import convert_plans, plans
from services.billing.store.plans import Plans as Store
from wrtn.billing.v1 import plans_pb2 as pb
from wrtn.billing.v1.plans_pb2_grpc import PlanServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class Plans(PlanServiceServicer):
    """Keeps and shows plans."""

    def __init__(self, runtime: Runtime[ServiceSettings]) -> None:
        self._db = runtime.db

    async def CreatePlan(self, request: pb.CreatePlanRequest, context: Context) -> pb.Plan:
        """Creates a plan with its first version."""

        async def work(tx: Transaction) -> pb.Plan:
            return convert_plans.plan(await plans.create(tx, request.plan.key, request.plan.terms))

        return await once(self._db, Scope(), request, work)

    async def GetPlan(self, request: pb.GetPlanRequest, context: Context) -> pb.Plan:
        """Gets a plan in one of its versions."""
        async with self._db.snapshot(Scope()) as snapshot:
            found = await Store(snapshot).get(UUID(request.plan_id), request.version)
        if found is None:
            raise PlanNotFound("The plan does not exist.", field="plan_id")
        return convert_plans.plan(found)

    async def ListPlans(self, request: pb.ListPlansRequest, context: Context) -> pb.ListPlansResponse:
        """Lists plans by key."""
        page = Page.of(request)
        after = page.after(str) or ""
        async with self._db.snapshot(Scope()) as snapshot:
            found = await Store(snapshot).page(after, page.size + 1, archived=request.show_archived)
        rows, token = page.cut(found, key=lambda each: (each.plan.key,))
        return pb.ListPlansResponse(plans=map(convert_plans.plan, rows), next_page_token=token)

    async def RevisePlan(self, request: pb.RevisePlanRequest, context: Context) -> pb.Plan:
        """Adds a version to a plan."""

        async def work(tx: Transaction) -> pb.Plan:
            plan_id = UUID(request.plan_id)
            return convert_plans.plan(await plans.revise(tx, plan_id, request.etag, request.terms))

        return await once(self._db, Scope(), request, work)

    async def ArchivePlan(self, request: pb.ArchivePlanRequest, context: Context) -> pb.Plan:
        """Takes a plan off the list."""

        async def work(tx: Transaction) -> pb.Plan:
            return convert_plans.plan(await plans.archive(tx, UUID(request.plan_id), request.etag))

        return await once(self._db, Scope(), request, work)
