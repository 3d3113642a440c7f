"""What signing in costs: `python -m tests.bench.sign_in [--seconds S] [--rounds N]`.

Prints the processor time that the service spends on a sign-in beside that of bare Argon2id with the same
parameters, which neighbours on the machine do not change, and the latency of another call of the same process
(GetJwks, answered from memory), in turns: beside so many sign-ins a second, whether or not those before are
done, and beside as many as a few callers can make without a pause, which fill the processors.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import statistics
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import grpc

from chassis.database.migrate import migrate
from chassis.database.roles import provision
from chassis.embedded.nats import Nats
from chassis.embedded.postgres import Postgres
from tests.bench.identity import HASHER, PASSWORD, address
from tests.bench.servers import serving
from wrtn.identity.v1.auth_pb2 import GetJwksRequest, SignInRequest
from wrtn.identity.v1.auth_pb2_grpc import AuthServiceStub

SAMPLES = 60
RATES = (0, 5, 10, 20)
"""Sign-ins a second beside the other calls."""
BESIDE = 4
"""Callers beside the other calls who sign in without a pause."""


async def measure(port: int, pid: int, seconds: float, rounds: int) -> None:
    """Prints the report."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        auth = AuthServiceStub(channel)
        numbers = itertools.count()

        async def sign_in() -> None:
            await auth.SignIn(SignInRequest(email=address(next(numbers)), password=PASSWORD))

        async def jwks() -> None:
            await auth.GetJwks(GetJwksRequest())

        print(f"{os.cpu_count()} cores, {rounds} rounds of {seconds:g} s, medians of the rounds")
        floor, ours = hashing(), await spending(sign_in, pid)
        print(f"bare Argon2id  {floor:6.1f} ms of processor time")
        print(f"sign-in        {ours:6.1f} ms of processor time, of which Argon2id is {floor / ours:.0%}")
        load = Load(sign_in)
        loads: dict[str, Other] = {f"{each} a second": partial(load.at, each) for each in RATES}
        loads[f"{BESIDE} without a pause"] = load.full

        def beside_it(other: Other) -> Work:
            return lambda: beside(load, other, lambda: latencies(jwks, seconds))

        found = await in_turns([beside_it(each) for each in loads.values()], rounds)
        print("GetJwks beside sign-ins      p50         p99   sign-ins a second")
        for name, each in zip(loads, found, strict=True):
            print(f"{name:20} {each.median:8.1f} ms {each.p99:8.1f} ms {each.rate:12.1f}")


def hashing() -> float:
    """Answers the milliseconds of processor time that one verification takes."""
    password_hash = HASHER.hash(PASSWORD)
    began = process_time()
    for _ in range(SAMPLES):
        HASHER.verify(password_hash, PASSWORD)
    return (process_time() - began) / SAMPLES * 1000


async def spending(work: Callable[[], Awaitable[None]], pid: int) -> float:
    """Answers the milliseconds of processor time that the process spends on one piece of work."""
    await work()
    began = spent_by(pid)
    for _ in range(SAMPLES):
        await work()
    return (spent_by(pid) - began) / SAMPLES * 1000


def spent_by(pid: int) -> float:
    """Answers the seconds of processor time of a process, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Measured:
    """Latencies in milliseconds, and how many sign-ins a second were answered meanwhile."""

    median: float
    p99: float
    rate: float = 0


Work = Callable[[], Awaitable[Measured]]
Other = Callable[[], Coroutine[Any, Any, None]]


class Load:
    """Work that goes on beside until it is stopped, and how much of it was done."""

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = work
        self._over = asyncio.Event()
        self.done = 0

    def stop(self) -> None:
        """Lets what is under way come to its end, and begins no more."""
        self._over.set()

    async def at(self, rate: int) -> None:
        """Begins so many a second, whether or not those before are done: people do not take turns."""
        self._over.clear()
        began = perf_counter()
        async with asyncio.TaskGroup() as under_way:
            for number in itertools.count(1):
                if await self._stopped_by(began + number / rate if rate else None):
                    return
                under_way.create_task(self._once())

    async def full(self) -> None:
        """Has BESIDE callers work without a pause."""
        self._over.clear()
        async with asyncio.TaskGroup() as callers:
            for _ in range(BESIDE):
                callers.create_task(self._without_a_pause())

    async def _stopped_by(self, moment: float | None) -> bool:
        """Waits for the moment, for ever if there is none; says whether the load was stopped until then."""
        with suppress(TimeoutError):
            async with asyncio.timeout(None if moment is None else moment - perf_counter()):
                await self._over.wait()
        return self._over.is_set()

    async def _without_a_pause(self) -> None:
        while not self._over.is_set():
            await self._once()

    async def _once(self) -> None:
        await self._work()
        self.done += 1


async def in_turns(works: list[Work], rounds: int) -> list[Measured]:
    """Measures all in turns, once for warmth; answers the medians of each."""
    found: list[list[Measured]] = [[] for _ in works]
    for turn in range(rounds + 1):
        for results, work in zip(found, works, strict=True):
            result = await work()
            if turn:
                results.append(result)
    return [
        Measured(
            statistics.median(each.median for each in results),
            statistics.median(each.p99 for each in results),
            statistics.median(each.rate for each in results),
        )
        for results in found
    ]


async def latencies(work: Callable[[], Awaitable[None]], seconds: float) -> Measured:
    """Does the work again and again, one at a time."""
    took: list[float] = []
    end = perf_counter() + seconds
    while (began := perf_counter()) < end or len(took) < 2:
        await work()
        took.append((perf_counter() - began) * 1000)
    return Measured(statistics.median(took), statistics.quantiles(took, n=100)[98])


async def beside(load: Load, other: Other, work: Work) -> Measured:
    """Measures while the load goes on."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(other())
        before, began = load.done, perf_counter()
        found = await work()
        rate = (load.done - before) / (perf_counter() - began)
        load.stop()
    return replace(found, rate=rate)


def main() -> None:
    """Starts PostgreSQL, NATS and identity as processes, and measures from this one."""
    parser = argparse.ArgumentParser("tests.bench.sign_in", description="Measures what signing in costs.")
    parser.add_argument("--seconds", type=float, default=4, help="how long each measurement takes")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is repeated, in turns")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wrtn-bench-") as folder:
        run(Path(folder), arguments.seconds, arguments.rounds)


def run(folder: Path, seconds: float, rounds: int) -> None:
    """Measures over servers of its own in this folder."""
    postgres, nats = Postgres(folder / "postgres"), Nats(folder / "nats")
    postgres.start()
    nats.start()
    try:
        passwords = {kind: f"bench-{kind}" for kind in ("owner", "app", "worker")}
        urls = provision(postgres.url(), "identity", passwords)
        migrate(urls.owner, "identity")
        place = (urls.owner, urls.app, urls.worker, nats.url, str(folder / "identity"))
        with serving("identity", *place) as identity:
            asyncio.run(measure(identity["port"], identity["pid"], seconds, rounds))
    finally:
        nats.stop()
        postgres.stop()


if __name__ == "__main__":
    main()
