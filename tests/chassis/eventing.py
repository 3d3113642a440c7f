"""A small world of events for the tests: one service that tells and takes, over real PostgreSQL and NATS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from nats.js.errors import NotFoundError
from psycopg import AsyncConnection

from chassis.clock import Clock
from chassis.database import Scope, Transaction
from chassis.embedded.nats import Nats
from chassis.errors import Unavailable
from chassis.events import outbox
from chassis.events.bus import Bus
from chassis.events.consumer import Consumer, Handler
from chassis.events.envelope import Event
from chassis.events.relay import Relay
from chassis.events.runner import Runner
from chassis.events.streams import stream_of
from chassis.testing.databases import ServiceDatabase
from wrtn.identity.v1.events_pb2 import AccountOpened, MemberActivated

SERVICE = "identity"
STREAM = stream_of(SERVICE)
NEW = Clock().new_id


async def note(tx: Transaction, events: Sequence[Event[Any]]) -> None:
    """The effect: a row for each event that names it. An effect that happened twice would be two rows."""
    connection = await tx.driver()
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO wrtn_notes (tenant_id, id, body) VALUES (%s, %s, %s)",
            [(event.tenant_id, NEW(), str(event.id)) for event in events],
        )


@dataclass
class World:
    """Starts what a test asks for and stops all of it at the end."""

    database: ServiceDatabase
    nats: Nats
    tenant: UUID = field(default_factory=NEW)
    _stops: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    async def bus(self) -> Bus:
        bus = await Bus.connect(self.nats.url)
        self._stops.append(bus.close)
        return bus

    async def relay(self, bus: Bus | None = None, batch: int = 500) -> Relay:
        relay = Relay(self.database.worker, bus or await self.bus(), SERVICE, batch=batch)
        self.database.app.on_events = relay.wake
        await relay.start()
        self._stops.append(relay.stop)
        return relay

    async def runner(
        self,
        handler: Handler = note,
        bus: Bus | None = None,
        *,
        name: str = "notes",
        batch: int = 500,
        max_failures: int = 3,
        retry_delay: float = 0.05,
    ) -> Runner:
        kinds = (MemberActivated, AccountOpened)
        consumer = Consumer(name, SERVICE, dict.fromkeys(kinds, handler), batch, max_failures, retry_delay)
        runner = Runner(self.database.app, bus or await self.bus(), "sample", consumer)
        await runner.start()
        self._stops.append(runner.stop)
        return runner

    async def tell(self, count: int = 1, tenant: UUID | None = None) -> list[UUID]:
        """Commits so many events in one transaction; answers their ids."""
        tenant = tenant or self.tenant
        rows = [
            outbox.row_of(
                MemberActivated(member_id=str(index)), event_id=NEW(), aggregate_id=NEW(), tenant_id=tenant
            )
            for index in range(count)
        ]
        async with (
            self.database.app.transaction(Scope.of(tenant)) as tx,
            (await tx.driver()).cursor() as cursor,
            cursor.copy(outbox.COPY) as copy,
        ):
            tx.told()
            for row in rows:
                await copy.write_row(row)
        return [row.id for row in rows]

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[AsyncConnection[tuple[Any, ...]]]:
        """A connection of the owner, in autocommit mode."""
        url = self.database.urls.owner.replace("postgresql+psycopg://", "postgresql://")
        async with await AsyncConnection.connect(url, autocommit=True) as connection:
            yield connection

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with self.database.worker.transaction(Scope()) as tx:
            return await (await (await tx.driver()).execute(query)).fetchall()

    async def unsent(self) -> int:
        return int((await self.rows("SELECT count(*) FROM wrtn_outbox WHERE sent_time IS NULL"))[0][0])

    async def sent(self) -> bool:
        return await self.unsent() == 0

    async def effects(self, *tenants: UUID) -> list[UUID]:
        """The events whose effect is there, once for each time that it happened."""
        async with self.database.app.snapshot(Scope.of(*(tenants or (self.tenant,)))) as snapshot:
            cursor = await (await snapshot.driver()).execute("SELECT body FROM wrtn_notes")
            return [UUID(row[0]) for row in await cursor.fetchall()]

    async def letters(self, state: str) -> list[UUID]:
        found = await self.rows("SELECT event_id, state FROM wrtn_dead_letters")
        return [row[0] for row in found if row[1] == state]

    async def stored(self, bus: Bus) -> int:
        """How many messages the stream holds; none while there is no stream."""
        try:
            return (await bus.jetstream.stream_info(STREAM)).state.messages
        except (NotFoundError, Unavailable):
            return 0

    async def close(self) -> None:
        for stop in reversed(self._stops):
            await stop()


@asynccontextmanager
async def running(database: ServiceDatabase, nats: Nats) -> AsyncIterator[World]:
    """A world that is taken down at the end, whatever happens."""
    world = World(database, nats)
    try:
        yield world
    finally:
        await world.close()
