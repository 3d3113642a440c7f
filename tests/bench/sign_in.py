"""What signing in costs: `python -m tests.bench.sign_in [--seconds S] [--rounds N]`.

Prints the processor time that the service spends on a sign-in beside that of bare Argon2id with the same
parameters, which neighbours on the machine do not change, and the latency of another call of the same process
(GetJwks, answered from memory) without and with sign-ins beside it, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from time import perf_counter, process_time

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
BESIDE = 4
"""Sign-ins at a time beside the other calls; two threads hash."""


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
        quiet, busy = await in_turns(
            [lambda: latencies(jwks, seconds), lambda: beside(sign_in, lambda: latencies(jwks, seconds))],
            rounds,
        )
        print(f"GetJwks                  p50 {quiet[0]:6.1f} ms   p99 {quiet[1]:6.1f} ms")
        print(f"GetJwks with {BESIDE} sign-ins  p50 {busy[0]:6.1f} ms   p99 {busy[1]:6.1f} ms")


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


Measured = tuple[float, float]
"""The median and the 99th percentile, in milliseconds."""


async def in_turns(works: list[Callable[[], Awaitable[Measured]]], rounds: int) -> list[Measured]:
    """Measures all in turns, once for warmth; answers the medians of each."""
    found: list[list[Measured]] = [[] for _ in works]
    for turn in range(rounds + 1):
        for results, work in zip(found, works, strict=True):
            result = await work()
            if turn:
                results.append(result)
    return [
        (statistics.median(each[0] for each in results), statistics.median(each[1] for each in results))
        for results in found
    ]


async def latencies(work: Callable[[], Awaitable[None]], seconds: float) -> Measured:
    """Does the work again and again, one at a time."""
    took: list[float] = []
    end = perf_counter() + seconds
    while (began := perf_counter()) < end or len(took) < 2:
        await work()
        took.append((perf_counter() - began) * 1000)
    return statistics.median(took), statistics.quantiles(took, n=100)[98]


async def beside(other: Callable[[], Awaitable[None]], work: Callable[[], Awaitable[Measured]]) -> Measured:
    """Measures while BESIDE callers do something else without a pause."""

    async def without_end() -> None:
        while True:
            await other()

    tasks = [asyncio.create_task(without_end()) for _ in range(BESIDE)]
    try:
        return await work()
    finally:
        for each in tasks:
            each.cancel()
            with suppress(asyncio.CancelledError):
                await each


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
