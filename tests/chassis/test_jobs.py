"""Jobs: each run is made once across replicas, survives a failure, and passes on when its holder dies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from chassis import jobs
from chassis.database import Database, Scope
from chassis.jobs import Job, JobRunner
from chassis.testing.databases import ServiceDatabase

OFTEN = timedelta(milliseconds=50)


@pytest.fixture
def worker(service_database: ServiceDatabase) -> Database:
    return service_database.worker


class Counted:
    """A job that counts its runs and lets a test wait for them."""

    def __init__(self) -> None:
        self.runs = 0
        self._ran = asyncio.Condition()

    async def run(self) -> None:
        async with self._ran:
            self.runs += 1
            self._ran.notify_all()

    async def until(self, runs: int) -> None:
        async with asyncio.timeout(5), self._ran:
            await self._ran.wait_for(lambda: self.runs >= runs)


async def holder_of(worker: Database) -> str | None:
    async with worker.snapshot(Scope()) as tx:
        row = await (await (await tx.driver()).execute("SELECT holder FROM wrtn_leases")).fetchone()
    return str(row[0]) if row else None


async def take_away(worker: Database, holder: str, expire: str) -> None:
    async with worker.transaction(Scope()) as tx:
        query = f"UPDATE wrtn_leases SET holder = %s, expire_time = clock_timestamp() + interval '{expire}'"
        await (await tx.driver()).execute(query, (holder,))


def runner(
    worker: Database, run: Callable[[], Awaitable[None]], every: timedelta, name: str = "one"
) -> JobRunner:
    return JobRunner(worker, [Job("job", every, run)], name)


async def test_a_job_runs_again_and_again(worker: Database) -> None:
    counted = Counted()
    own = runner(worker, counted.run, OFTEN)
    await own.start()
    await counted.until(3)
    await own.stop()


async def test_of_many_replicas_one_runs_the_job(worker: Database) -> None:
    counted = Counted()
    replicas = [runner(worker, counted.run, timedelta(hours=1), str(number)) for number in range(4)]
    for each in replicas:
        await each.start()
    await counted.until(1)
    for each in replicas:
        await each.stop()
    assert counted.runs == 1


async def test_jobs_that_are_due_together_take_turns_at_the_connections(
    worker: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_MOMENT", 60)
    at_once: list[int] = []
    last = Counted()

    async def run() -> None:
        async with worker.transaction(Scope()):
            at_once.append(worker.in_use)
        await last.run()

    own = JobRunner(worker, [Job(f"job-{number}", timedelta(hours=1), run) for number in range(4)], "one")
    await own.start()
    await last.until(4)
    await own.stop()
    assert at_once == [1] * 4


async def test_a_job_that_goes_on_holds_up_no_other(worker: Database) -> None:
    counted = Counted()
    endless = Job("endless", timedelta(hours=1), asyncio.Event().wait)  # type: ignore[arg-type]  # never answers
    own = JobRunner(worker, [endless, Job("job", OFTEN, counted.run)], "one")
    await own.start()
    await counted.until(2)
    assert own.alive
    await own.stop()


async def test_a_job_that_fails_is_tried_again_at_its_next_time(worker: Database) -> None:
    counted = Counted()

    async def fail() -> None:
        await counted.run()
        raise KeyError

    own = runner(worker, fail, OFTEN)
    await own.start()
    await counted.until(2)
    assert own.alive
    await own.stop()


async def test_a_stopped_job_is_cancelled_and_free_for_others_at_once(worker: Database) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    own = runner(worker, endless, timedelta(hours=1))
    await own.start()
    await started.wait()
    await own.stop()
    assert cancelled.is_set()
    counted = Counted()
    other = runner(worker, counted.run, timedelta(hours=1), "other")
    await other.start()
    await counted.until(1)
    await other.stop()


async def test_the_lease_of_a_dead_holder_passes_on_when_it_expires(worker: Database) -> None:
    counted = Counted()
    first = runner(worker, counted.run, timedelta(hours=1))
    await first.start()
    await counted.until(1)
    await first.stop()
    await take_away(worker, "dead", "-1 second")
    second = runner(worker, counted.run, timedelta(hours=1), "second")
    await second.start()
    await counted.until(2)
    assert await holder_of(worker) == "second"
    await second.stop()


async def test_a_run_that_lost_its_lease_is_cancelled(
    worker: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LEASE", timedelta(seconds=0.3))
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    own = runner(worker, endless, timedelta(hours=1))
    await own.start()
    await started.wait()
    await take_away(worker, "thief", "1 hour")
    async with asyncio.timeout(5):
        await cancelled.wait()
    await own.stop()
    assert await holder_of(worker) == "thief"
