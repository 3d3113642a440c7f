"""How far usage is published: the outbox before the stream."""

from __future__ import annotations

from datetime import UTC, timedelta

from chassis.clock import Clock
from chassis.database import Scope
from chassis.embedded.nats import Nats
from chassis.events import outbox
from chassis.events.bus import Bus
from chassis.testing.databases import ServiceDatabase
from services.sessions.rpc.usage_progress import UNSEEN, UsageProgressRpc
from tests.usage import NEW, Person, publish, recorded, usage
from wrtn.sessions.v1.usage_progress_pb2 import GetUsageProgressRequest

_WAITING = outbox.INSERT.replace(" (id", " (create_time, id").replace("(%s", "(%s, %s")


async def test_usage_is_published_up_to_the_oldest_that_still_waits(
    sessions_database: ServiceDatabase, nats: Nats
) -> None:
    bus, clock = await Bus.connect(nats.url), Clock()
    try:
        await bus.ready()
        rpc = UsageProgressRpc(sessions_database.worker, bus, clock)
        await publish(bus, "sessions", [recorded(usage(Person(NEW()))) for _ in range(3)])
        before = clock.now()
        progress = await rpc.GetUsageProgress(GetUsageProgressRequest(), None)
        assert progress.last_sequence == 3
        assert before <= progress.publish_time.ToDatetime(UTC) + UNSEEN <= clock.now()
        waiting = outbox.row_of(usage(Person(NEW())), event_id=NEW(), aggregate_id=NEW())
        hour = timedelta(hours=1)
        async with sessions_database.app.transaction(Scope()) as tx:
            driver = await tx.driver()
            await driver.execute(_WAITING, (before - hour, *waiting))
        progress = await rpc.GetUsageProgress(GetUsageProgressRequest(), None)
        assert progress.publish_time.ToDatetime(UTC) == before - hour - UNSEEN
    finally:
        await bus.close()
