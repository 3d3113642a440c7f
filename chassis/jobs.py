"""Periodic jobs that run once across all replicas, under a lease in the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from prometheus_client import Counter, Gauge

from chassis import telemetry
from chassis.database import Database, Scope
from chassis.errors import DomainError
from chassis.rest import rest

LEASE = timedelta(seconds=30)
"""How long a lease outlives its holder; it is renewed three times as often."""

_LONGEST_NAP = 5.0

_MOMENT = 0.2
"""Seconds that a job may have before the next one begins beside it. Most are done well before."""

_HELD = """
SELECT name, extract(epoch FROM expire_time - clock_timestamp())::float8 FROM wrtn_leases
WHERE name = ANY (%s) AND expire_time > clock_timestamp()
"""
# The row also says when the job is due again: a lease that ended is one that may be taken.
_CLAIM = """
INSERT INTO wrtn_leases (name, holder, expire_time) VALUES (%(name)s, %(holder)s, clock_timestamp() + %(for)s)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expire_time = excluded.expire_time
WHERE wrtn_leases.expire_time <= clock_timestamp()
"""
_EXTEND = """
UPDATE wrtn_leases SET expire_time = clock_timestamp() + %(for)s
WHERE name = %(name)s AND holder = %(holder)s AND expire_time > clock_timestamp()
"""

_log = structlog.get_logger("chassis.jobs")
_runs = Counter("wrtn_job_runs_total", "Runs of periodic jobs, by their outcome.", ("job", "outcome"))
_last = Gauge("wrtn_job_last_success_seconds", "When a job last succeeded, in seconds since 1970.", ("job",))


@dataclass(frozen=True)
class Job:
    """Work to be done every so often. A run may be cancelled at any point, and is not caught up on."""

    name: str
    every: timedelta
    run: Callable[[], Awaitable[None]]


class JobRunner:
    """Runs the jobs of a service. `holder` names this process; `worker` is the worker role's database."""

    def __init__(self, worker: Database, jobs: Sequence[Job], holder: str) -> None:
        self._worker = worker
        self._jobs = jobs
        self._holder = holder
        self._stopping = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._running: dict[str, asyncio.Task[None]] = {}

    @property
    def alive(self) -> bool:
        """Whether every job is still looked after; false fails liveness."""
        tasks = (self._looking, *self._running.values())
        return not any(task is None or task.done() for task in tasks)

    async def start(self) -> None:
        """Starts looking for jobs that are due."""
        self._looking = asyncio.create_task(self._look(), name="jobs")

    async def stop(self) -> None:
        """Cancels what runs and gives its lease back."""
        self._stopping.set()
        tasks = [task for task in (self._looking, *self._running.values()) if task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> None:
        while not self._stopping.is_set():
            nap = _LONGEST_NAP
            try:
                nap = min(nap, await self._round())
            except DomainError as error:
                _log.warning("the leases of jobs cannot be had", reason=error.reason)
            await rest(self._stopping, nap)

    async def _round(self) -> float:
        """Begins what is due; answers in how many seconds the next job is."""
        left = await self._held()
        for job in self._jobs:
            if job.name in left or job.name in self._running:
                continue
            left[job.name] = job.every.total_seconds()
            if await self._lease(_CLAIM, job, LEASE):
                await self._begin(job)
        return min(left.values(), default=_LONGEST_NAP)

    async def _held(self) -> dict[str, float]:
        """Answers the jobs that are not due, with the seconds until they may be: one look for all of them."""
        names = [job.name for job in self._jobs]
        async with self._worker.snapshot(Scope()) as snapshot:
            cursor = await (await snapshot.driver()).execute(_HELD, (names,))
            return dict(await cursor.fetchall())

    async def _begin(self, job: Job) -> None:
        """Starts the job, and waits a moment for its end: those that are due together share connections."""
        task = asyncio.create_task(self._once(job), name=f"job-{job.name}")
        self._running[job.name] = task
        await asyncio.wait({task}, timeout=_MOMENT)

    async def _once(self, job: Job) -> None:
        try:
            await self._run(job)
        except DomainError as error:
            _log.warning("the lease of a job cannot be kept", job=job.name, reason=error.reason)
        del self._running[job.name]

    async def _run(self, job: Job) -> None:
        """Runs the job once, renewing its lease; then keeps the lease until the job is due again."""
        began = asyncio.get_running_loop().time()
        with telemetry.span(f"job {job.name}"):
            work = asyncio.ensure_future(_called(job))
            stopping = asyncio.ensure_future(self._stopping.wait())
            try:
                while not work.done() and not stopping.done():
                    await asyncio.wait(
                        {work, stopping},
                        timeout=LEASE.total_seconds() / 3,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    if not work.done() and not await self._lease(_EXTEND, job, LEASE):
                        break
            finally:
                stopping.cancel()
                work.cancel()
                await asyncio.wait({work})
            _note(job, work)
        taken = asyncio.get_running_loop().time() - began
        wait = timedelta() if work.cancelled() else max(timedelta(), job.every - timedelta(seconds=taken))
        await self._lease(_EXTEND, job, wait)

    async def _lease(self, statement: str, job: Job, duration: timedelta) -> bool:
        values: dict[str, Any] = {"name": job.name, "holder": self._holder, "for": duration}
        async with self._worker.transaction(Scope()) as tx:
            cursor = await (await tx.driver()).execute(statement, values)
            return cursor.rowcount == 1


async def _called(job: Job) -> None:
    await job.run()


def _note(job: Job, work: asyncio.Future[None]) -> None:
    outcome = "cancelled" if work.cancelled() else "failed" if work.exception() is not None else "done"
    _runs.labels(job.name, outcome).inc()
    if outcome == "failed":
        _log.error("job", job=job.name, exc_info=work.exception())
    elif outcome == "done":
        _last.labels(job.name).set_to_current_time()
