"""Reservations whose time ran out: given back once all usage of their time is consumed, never before.

What a usage would have settled is held until that usage could have come: a hold that ended sooner would let
others spend what is spent already.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import grpc
import structlog
from prometheus_client import Counter

from chassis.database import Database, Scope
from chassis.errors import DomainError
from chassis.events.bus import Bus
from chassis.events.progress import acknowledged
from chassis.jobs import Job
from chassis.rpc.client import Peers
from services.billing.models import ReservationState
from services.billing.spending import reservations
from services.billing.store.reservations import Reservations, tenants_holding
from wrtn.sessions.v1.usage_progress_pb2 import GetUsageProgressRequest
from wrtn.sessions.v1.usage_progress_pb2_grpc import UsageProgressServiceStub

BATCH = 200
_EVERY = timedelta(seconds=10)
_USAGES = "billing-usages"
"""The durable consumer of sessions' usages."""

_log = structlog.get_logger(__name__)
_expired = Counter("wrtn_billing_expired_reservations_total", "Reservations that expired.")


@dataclass(frozen=True, slots=True)
class Expiry:
    """Ends reservations. `worker` is the worker role's database, which lists tenants."""

    database: Database
    worker: Database
    bus: Bus
    peers: Peers

    def job(self) -> Job:
        """Answers the job."""
        return Job("expire-reservations", _EVERY, self.run)

    async def run(self) -> None:
        """Ends what was held until a time whose usage is all consumed; nothing, if that is unknown."""
        before = await self._consumed()
        if before is None:
            return
        async with self.worker.snapshot(Scope()) as snapshot:
            tenants = await tenants_holding(snapshot, before)
        for tenant_id in tenants:
            while await self._expire(tenant_id, before) == BATCH:
                pass

    async def _consumed(self) -> datetime | None:
        """Answers up to when all usage is consumed; None if sessions, NATS or the consumer lag behind."""
        sessions = self.peers.stub(UsageProgressServiceStub, "sessions")
        try:
            progress = await sessions.GetUsageProgress(GetUsageProgressRequest())
            done = await acknowledged(self.bus, "sessions", _USAGES, progress.last_sequence)
        except (grpc.aio.AioRpcError, DomainError) as error:
            _log.warning("expiry.waits", error=repr(error))
            return None
        return progress.publish_time.ToDatetime(UTC) if done else None

    async def _expire(self, tenant_id: UUID, before: datetime) -> int:
        async with self.database.transaction(Scope.of(tenant_id)) as tx:
            rows = await Reservations(tx).lock_expired(tenant_id, before, BATCH)
            await reservations.end(tx, rows, ReservationState.EXPIRED)
        _expired.inc(len(rows))
        return len(rows)
