"""Ends connections that no stream carries and nobody closes: their lease is an hour without an append."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import structlog

from chassis.database import Database, Scope
from services.sessions.store import NO_PROCESS, IdleConnections, Processes

_TENANTS_AT_ONCE = 200
_CONNECTIONS_AT_ONCE = 500

_log = structlog.get_logger(__name__)


async def close_idle(db: Database, idle_after: timedelta) -> None:
    """Ends connections without a stream over which nothing was recorded for so long, at their last append.

    A job, run once across replicas. Cancelled in the middle it leaves the rest for its next run.
    """
    after: UUID | None = None
    while True:
        async with db.snapshot(Scope()) as seen:
            tenants = await Processes(seen).tenants(NO_PROCESS, _TENANTS_AT_ONCE, after)
        if not tenants:
            return
        await _close(db, tenants, idle_after)
        after = tenants[-1]


async def _close(db: Database, tenants: Sequence[UUID], idle_after: timedelta) -> None:
    while True:
        async with db.transaction(Scope(frozenset(tenants))) as tx:
            ended = await IdleConnections(tx).close(tenants, tx.now - idle_after, _CONNECTIONS_AT_ONCE)
        if not ended:
            return
        _log.info("idle connections are closed", connections=ended)
