"""The desk of an administrator: billing served for real, with a clock that can be moved."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import grpc
import pytest

from chassis.database import Scope
from chassis.service import Running
from chassis.testing.callers import Callers, Known
from chassis.testing.clocks import MovableClock
from chassis.testing.databases import DatabaseFactory, ServiceDatabase
from chassis.testing.serving import Serve
from services.billing.main import wire
from services.billing.settings import BillingSettings
from tests.billing.make import Billing, billing
from tests.usage import Person, recorded, usage
from wrtn.access.v1.access_pb2 import StaffRight
from wrtn.billing.v1 import price_rules_pb2, prices_pb2
from wrtn.billing.v1.price_rules_pb2_grpc import PriceRuleServiceStub
from wrtn.billing.v1.prices_pb2_grpc import PriceServiceStub
from wrtn.sessions.v1.events_pb2 import UsageRecorded
from wrtn.sessions.v1.token_usage_pb2 import TokenUsage, UsageUnits

if TYPE_CHECKING:
    from wrtn.billing.v1.price_rules_pb2_grpc import PriceRuleServiceAsyncStub
    from wrtn.billing.v1.prices_pb2_grpc import PriceServiceAsyncStub

MODEL = "acme/own-1"
"""A model that the package does not know."""


@dataclass
class Desk:
    """A running billing, an administrator, and the core that rates."""

    running: Running[BillingSettings]
    database: ServiceDatabase
    callers: Callers
    clock: MovableClock
    channel: grpc.aio.Channel
    prices: PriceServiceAsyncStub
    rules: PriceRuleServiceAsyncStub
    admin: Known
    core: Billing

    def now(self) -> datetime:
        """The time of the service."""
        return self.clock.now()

    async def price(
        self, model: str = MODEL, start: datetime | None = None, end: datetime | None = None, **rates: Any
    ) -> prices_pb2.Price:
        """Adds a price of our own, as the administrator."""
        asked = prices_pb2.Price(model=model, **(rates or {"input_per_million": "1"}))
        asked.effective_time.FromDatetime(start or self.now() + timedelta(minutes=2))
        if end is not None:
            asked.end_time.FromDatetime(end)
        request = prices_pb2.CreatePriceRequest(price=asked)
        return await self.prices.CreatePrice(request, metadata=self.admin.metadata)

    async def rule(
        self, tenant_id: UUID | None, start: datetime | None = None, end: datetime | None = None, **terms: Any
    ) -> price_rules_pb2.PriceRule:
        """Agrees on a rule, as the administrator."""
        asked = price_rules_pb2.PriceRule(**terms)
        if tenant_id is not None:
            asked.enterprise_id = str(tenant_id)
        asked.effective_time.FromDatetime(start or self.now() + timedelta(minutes=2))
        if end is not None:
            asked.end_time.FromDatetime(end)
        request = price_rules_pb2.CreatePriceRuleRequest(price_rule=asked)
        return await self.rules.CreatePriceRule(request, metadata=self.admin.metadata)

    async def exchange(
        self, currency: str, rate: str, start: datetime | None = None
    ) -> price_rules_pb2.ExchangeRate:
        """Sets an exchange rate, as the administrator."""
        asked = price_rules_pb2.ExchangeRate(currency=currency, rate=rate)
        asked.effective_time.FromDatetime(start or self.now() + timedelta(minutes=2))
        request = price_rules_pb2.CreateExchangeRateRequest(exchange_rate=asked)
        return await self.rules.CreateExchangeRate(request, metadata=self.admin.metadata)

    async def rate(self, *messages: UsageRecorded) -> None:
        """Rates usages, in one batch."""
        await self.core.rate(map(recorded, messages))

    async def used(
        self,
        person: Person,
        used: TokenUsage | None = None,
        *,
        model: str = MODEL,
        at: datetime | None = None,
        **units: int,
    ) -> UUID:
        """Rates a usage of now, and answers its history."""
        message = usage(person, used, model=model, at=at or self.now())
        if units:
            message.units.MergeFrom(UsageUnits(**units))
        await self.rate(message)
        return UUID(message.history_id)

    async def cost(self, person: Person, history_id: UUID) -> Decimal:
        """What a usage cost."""
        rows = await self.core.rows(
            f"SELECT cost FROM wrtn_usages WHERE history_id = '{history_id}'",
            person.tenant_id,
        )
        return Decimal(rows[0][0])

    async def audited(self, tenant_id: UUID, action: str) -> Sequence[tuple[Any, ...]]:
        """The targets of what was audited."""
        async with self.database.app.snapshot(Scope.of(tenant_id)) as snapshot:
            query = "SELECT target_id FROM wrtn_audit_entries WHERE action = %s ORDER BY id"
            return await (await (await snapshot.driver()).execute(query, (action,))).fetchall()


@asynccontextmanager
async def served(
    database: DatabaseFactory, serve: Serve, callers: Callers, clock: MovableClock
) -> AsyncIterator[Desk]:
    """The running service on a fresh database."""
    made = await database("billing")
    running = await serve("billing", BillingSettings, wire, database=made, clock=clock)
    admin = callers.member(staff=StaffRight.STAFF_RIGHT_ADMINISTRATOR)
    async with running.channel() as channel:
        yield Desk(
            running=running,
            database=made,
            callers=callers,
            clock=clock,
            channel=channel,
            prices=PriceServiceStub(channel),
            rules=PriceRuleServiceStub(channel),
            admin=admin,
            core=await billing(made),
        )


async def refused(reason: str, call: Awaitable[object]) -> None:
    """Asserts that a call is refused for this reason."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    assert reason in str(error.value.trailing_metadata()), error.value
