"""What goes on beside the calls of a service, and how it tells whether all of it is well."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Protocol

import psycopg
from alembic.script import ScriptDirectory

from chassis.audit import sealing
from chassis.database.migrate import is_current
from chassis.errors import DomainError
from chassis.events.relay import Relay
from chassis.events.retention import purge_inbox, purge_outbox
from chassis.events.runner import Runner
from chassis.idempotency import purge as purge_idempotency_keys
from chassis.jobs import Job, JobRunner
from chassis.runtime import Background, Parts, Runtime

_PURGE_EVERY = timedelta(hours=6)
_READY_PATIENCE = 3.0


class _Alive(Protocol):
    @property
    def alive(self) -> bool: ...


class Upkeep:
    """What goes on beside the calls: relay, consumers, jobs, and the service's own."""

    def __init__(self, runtime: Runtime[Any], parts: Parts) -> None:
        self._bus = runtime.bus
        self._own = parts.background
        self._relay = Relay(runtime.worker, runtime.bus, runtime.service)
        for database in (runtime.db, *parts.databases):
            database.on_events = self._relay.wake
        self._runners = [Runner(runtime.db, runtime.bus, runtime.service, each) for each in parts.consumers]
        holder = f"{socket.gethostname()}/{os.getpid()}/{runtime.clock.secret(6)}"
        self._jobs = JobRunner(runtime.worker, [*parts.jobs, *_housekeeping(runtime)], holder)

    async def start(self, closing: AsyncExitStack) -> None:
        """Starts all; they end in the reverse order, the relay last, so that it sends what they published."""
        everything: list[Background] = [self._relay, *self._runners, self._jobs, *self._own]
        for each in everything:
            await each.start()
            closing.push_async_callback(each.stop)

    async def wrong(self) -> str:
        """Answers what has died and cannot come back but by a restart."""
        looked_after: list[tuple[str, _Alive]] = [
            ("bus", self._bus),
            ("relay", self._relay),
            ("jobs", self._jobs),
        ]
        looked_after += [("a consumer", runner) for runner in self._runners]
        dead = [name for name, each in looked_after if not each.alive]
        return f"dead: {', '.join(dead)}" if dead else ""


def _housekeeping(runtime: Runtime[Any]) -> list[Job]:
    async def outbox() -> None:
        await purge_outbox(runtime.worker)

    async def inbox() -> None:
        await purge_inbox(runtime.worker)

    async def idempotency() -> None:
        await purge_idempotency_keys(runtime.db)

    async def seal_audit() -> None:
        await sealing.seal_all(runtime.worker)

    return [
        Job("seal-audit", sealing.EVERY, seal_audit),
        Job("purge-outbox", _PURGE_EVERY, outbox),
        Job("purge-inbox", _PURGE_EVERY, inbox),
        Job("purge-idempotency-keys", _PURGE_EVERY, idempotency),
    ]


class Readiness:
    """Ready means: not draining, the database answers, and its migrations are those of this release."""

    def __init__(self, runtime: Runtime[Any], known: ScriptDirectory) -> None:
        self._runtime = runtime
        self._known = known

    async def wrong(self) -> str:
        """Answers why no calls should come here now."""
        if self._runtime.draining.is_set():
            return "draining"
        try:
            async with asyncio.timeout(_READY_PATIENCE):
                current = await is_current(self._runtime.db, self._known)
        except (DomainError, psycopg.Error, TimeoutError):
            return "the database does not answer"
        return "" if current else "the database is not migrated"
