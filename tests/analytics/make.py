"""An analytics service for the tests: its database, what is counted in it, and queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from chassis.database import Scope
from chassis.decimals import text
from chassis.events.consumer import Handler
from chassis.events.envelope import Event
from chassis.testing.databases import ServiceDatabase
from services.analytics.asking import Asked
from services.analytics.consumers import count_rated, count_recorded
from services.analytics.queries import Counts, Row, Usage
from tests.usage import NEW, NOON
from wrtn.billing.v1.events_pb2 import UsageRated
from wrtn.sessions.v1.events_pb2 import UsageRecorded


def rated(recorded: Event[UsageRecorded], cost: Decimal, event_id: UUID | None = None) -> Event[UsageRated]:
    """The event by which billing tells the cost of a usage."""
    message = recorded.message
    found = UsageRated(
        history_id=message.history_id,
        model=message.model,
        cost=text(cost),
        currency="USD",
        attribution=message.attribution,
        use_time=message.use_time,
    )
    return Event(event_id or NEW(), NOON, recorded.tenant_id, recorded.aggregate_id, 1, found)


@dataclass
class Analytics:
    """One analytics database."""

    database: ServiceDatabase

    async def record(self, events: Iterable[Event[UsageRecorded]]) -> None:
        """Counts the tokens of a batch in one transaction, as the consumer does."""
        await self._count(count_recorded, list(events))

    async def rate(self, events: Iterable[Event[UsageRated]]) -> None:
        """Counts the costs of a batch in one transaction, as the consumer does."""
        await self._count(count_rated, list(events))

    async def total(self, tenant_id: UUID, asked: Asked) -> Counts:
        """Sums the whole time."""
        async with self.database.app.snapshot(Scope.of(tenant_id)) as snapshot:
            return await Usage(snapshot, tenant_id).total(asked)

    async def rows(self, tenant_id: UUID, asked: Asked) -> list[Row]:
        """Answers the rows."""
        async with self.database.app.snapshot(Scope.of(tenant_id)) as snapshot:
            return await Usage(snapshot, tenant_id).rows(asked)

    async def dump(self, *tenants: UUID) -> list[list[tuple[Any, ...]]]:
        """Answers all rollups of these tenants, in a certain order."""
        found = []
        async with self.database.app.snapshot(Scope.of(*tenants)) as snapshot:
            driver = await snapshot.driver()
            for table in ("wrtn_rollups", "wrtn_account_rollups", "wrtn_team_paths"):
                cursor = await driver.execute(f"SELECT * FROM {table} AS kept ORDER BY kept::text")
                found.append(await cursor.fetchall())
        return found

    async def _count(self, handler: Handler, events: Sequence[Event[Any]]) -> None:
        scope = Scope(frozenset(event.tenant_id for event in events if event.tenant_id))
        async with self.database.app.transaction(scope) as tx:
            await handler(tx, events)


def day(number: int, hour: int = 0, minute: int = 0) -> datetime:
    """A time in November 2026, UTC."""
    return datetime(2026, 11, number, hour, minute, tzinfo=UTC)
