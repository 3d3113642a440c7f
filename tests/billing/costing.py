"""Usages over NATS, and their costs over gRPC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from chassis.database import Scope
from chassis.service import Running
from chassis.testing.callers import Callers, Known
from chassis.testing.databases import ServiceDatabase
from chassis.testing.waiting import until
from services.billing.settings import BillingSettings
from tests.billing.make import know
from tests.usage import publish, recorded, shuffled_thrice
from wrtn.billing.v1 import costs_pb2
from wrtn.sessions.v1.events_pb2 import UsageRecorded

if TYPE_CHECKING:
    from wrtn.billing.v1.costs_pb2_grpc import CostServiceAsyncStub
    from wrtn.billing.v1.prices_pb2_grpc import PriceServiceAsyncStub


@dataclass
class Costing:
    """A running billing service: usages as they arrive, and who asks for their costs."""

    running: Running[BillingSettings]
    database: ServiceDatabase
    costs: CostServiceAsyncStub
    prices: PriceServiceAsyncStub
    callers: Callers

    async def used(self, *messages: UsageRecorded, times: int = 1) -> None:
        """Publishes usages and waits until they are rated."""
        events = list(map(recorded, messages))
        await know(self.database, {event.tenant_id for event in events if event.tenant_id is not None})
        await publish(self.running.runtime.bus, "sessions", shuffled_thrice(events) if times == 3 else events)
        await self.rated(messages)

    async def rated(self, messages: tuple[UsageRecorded, ...] | list[UsageRecorded]) -> None:
        """Waits until these usages are rated."""
        tenants = {UUID(message.attribution.tenant_id) for message in messages}
        wanted = [UUID(message.history_id) for message in messages]

        async def all_there() -> bool:
            async with self.database.app.snapshot(Scope(frozenset(tenants))) as snapshot:
                query = "SELECT count(*) FROM wrtn_usages WHERE history_id = ANY (%s)"
                cursor = await (await snapshot.driver()).execute(query, (wanted,))
                return bool((await cursor.fetchall())[0][0] == len(wanted))

        await until(all_there)

    async def query(
        self,
        known: Known,
        group: costs_pb2.CostGroup.ValueType = costs_pb2.COST_GROUP_UNSPECIFIED,
        team: object = "",
    ) -> costs_pb2.QueryCostsResponse:
        """Asks for the costs of the caller's enterprise."""
        request = costs_pb2.QueryCostsRequest(
            enterprise_id=str(known.enterprise_id), group_by=group, team_id=str(team)
        )
        return await self.costs.QueryCosts(request, metadata=known.metadata)

    async def of_account(
        self,
        known: Known,
        account_id: UUID,
        group: costs_pb2.CostGroup.ValueType = costs_pb2.COST_GROUP_UNSPECIFIED,
    ) -> costs_pb2.QueryCostsResponse:
        """Asks for the costs of an account."""
        request = costs_pb2.QueryAccountCostsRequest(account_id=str(account_id), group_by=group)
        return await self.costs.QueryAccountCosts(request, metadata=known.metadata)
