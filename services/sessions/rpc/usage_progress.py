"""UsageProgressService: how far the usage of sessions is published."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from chassis import timestamps
from chassis.clock import Clock
from chassis.database import Database, Scope
from chassis.events.bus import Bus
from chassis.events.progress import last_sequence, oldest_unsent
from wrtn.sessions.v1 import usage_progress_pb2 as pb
from wrtn.sessions.v1.events_pb2 import UsageRecorded
from wrtn.sessions.v1.usage_progress_pb2_grpc import UsageProgressServiceServicer

UNSEEN = timedelta(minutes=1)
"""Longer than any commit takes: what is older is in the outbox for all to see, or never will be."""


class UsageProgressRpc(UsageProgressServiceServicer):
    """Answers billing. `worker` is the worker role's database, which reads the outbox."""

    def __init__(self, worker: Database, bus: Bus, clock: Clock) -> None:
        self._worker = worker
        self._bus = bus
        self._clock = clock

    async def GetUsageProgress(self, request: pb.GetUsageProgressRequest, context: Any) -> pb.UsageProgress:
        """Looks at the outbox first: what is sent by then has its place in the stream afterwards."""
        now = self._clock.now()
        async with self._worker.snapshot(Scope()) as snapshot:
            oldest = await oldest_unsent(snapshot, UsageRecorded)
        sequence = await last_sequence(self._bus, "sessions", UsageRecorded)
        published = min(now, oldest or now) - UNSEEN
        return pb.UsageProgress(publish_time=timestamps.of(published), last_sequence=sequence)
