"""Prints the ratios of our paths to their floors: `python -m tests.bench [--seconds S] [--rounds N]`.

Each floor and ours are measured in turns, `rounds` times, and the medians compared: the machine is
shared, so only the ratio means something. Servers are processes of their own; the load comes from this one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import sleep

from chassis.database.migrate import migrate
from chassis.database.roles import Urls, provision
from chassis.embedded.nats import Nats
from chassis.embedded.postgres import Postgres
from deploy.local.plan import ROOT
from tests.bench import load, spending, usages
from tests.bench.access import accesses
from tests.bench.servers import serving, started
from tests.e2e.suite import free_ports

Measure = Callable[[], Coroutine[None, None, float]]


@dataclass(frozen=True, slots=True)
class Row:
    """One path: its floor, ours, and the ratio that is promised."""

    name: str
    floor: float
    ours: float
    target: float

    def __str__(self) -> str:
        ratio = self.ours / self.floor
        sign = "ok" if ratio >= self.target else "below"
        return (
            f"{self.name:<28} floor {self.floor:>8,.0f}/s   ours {self.ours:>8,.0f}/s   "
            f"ratio {ratio:>5.0%}   target {self.target:>4.0%}   {sign}"
        )


def main() -> None:
    """Runs all benches and prints a row each."""
    parser = argparse.ArgumentParser("tests.bench", description="Measures speed as ratios to bare floors.")
    parser.add_argument("--seconds", type=float, default=4, help="how long each measurement takes")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is repeated, in turns")
    arguments = parser.parse_args()
    how = f"{arguments.rounds} rounds of {arguments.seconds:g} s"
    print(f"{os.cpu_count()} cores, {load.CALLERS} callers, {how}")
    with tempfile.TemporaryDirectory(prefix="wrtn-bench-") as folder:
        for limit in accesses(Path(folder)):
            print(limit, flush=True)
        for bench in (appends, reads, spendings, ratings):
            for row in bench(Path(folder), arguments.seconds, arguments.rounds):
                print(row, flush=True)


def appends(folder: Path, seconds: float, rounds: int) -> Iterator[Row]:
    """Unary and streamed appends, durable, against bare INSERTs."""
    with servers(folder) as (postgres, nats_url, urls):
        floor_url = postgres.replace("postgresql+psycopg", "postgresql")
        place = (urls.owner, urls.app, urls.worker, nats_url, str(folder / "sessions"), str(2 * load.CALLERS))
        with serving("inserting", floor_url) as floor, serving("sessions", *place) as ours:
            anyone = [""] * load.CALLERS
            pair = (
                lambda: load.unary(floor["port"], anyone, "", seconds),
                lambda: load.unary(ours["port"], ours["connections"], ours["token"], seconds),
            )
            yield Row("unary durable append", *medians(pair, rounds), 0.5)
            pair = (
                lambda: load.streams(floor["port"], [], "", seconds),
                lambda: load.streams(
                    ours["port"], ours["connections"][load.CALLERS :], ours["token"], seconds
                ),
            )
            yield Row("streamed durable append", *medians(pair, rounds), 0.4)


def reads(_: Path, seconds: float, rounds: int) -> Iterator[Row]:
    """REST reads through the gateway, against two routes written by hand."""
    with serving("canned") as backend, gateway(backend["port"]) as ours:
        port = int(free_ports()["WRTN_GATEWAY_PORT"])
        with serving("rest", f"127.0.0.1:{backend['port']}", str(port)):
            wait_for(f"http://127.0.0.1:{port}/v1/chatSessions?pageSize=50")
            one = "/v1/chatSessions/0190a5b0-0000-7000-8000-000000000000"
            for name, path, target in (
                ("one object", one, 0.8),
                ("page of 50", "/v1/chatSessions?pageSize=50", 1.0),
            ):
                pair = (
                    lambda path=path: load.http(port, path, seconds),
                    lambda path=path: load.http(ours, path, seconds),
                )
                yield Row(f"REST read, {name}", *medians(pair, rounds), target)


def spendings(folder: Path, seconds: float, rounds: int) -> Iterator[Row]:
    """Spending authorized at six levels of one hot enterprise, against an UPDATE of one hot row."""
    with servers(folder, "billing") as (postgres, nats_url, urls):
        floor_url = postgres.replace("postgresql+psycopg", "postgresql")
        place = (urls.owner, urls.app, urls.worker, nats_url, str(folder / "billing"))
        with serving("updating", floor_url) as floor, serving("billing", *place) as ours:
            pair = (
                lambda: spending.authorizing(floor["port"], ours, "", seconds),
                lambda: spending.authorizing(ours["port"], ours, ours["token"], seconds),
            )
            yield Row("AuthorizeSpend, six levels", *medians(pair, rounds), 0.5)


def ratings(folder: Path, seconds: float, rounds: int) -> Iterator[Row]:
    """Usages rated, against a bare fetch and COPY in batches; events a second of processor time."""
    with servers(folder / "ratings", "billing") as (postgres, nats_url, urls):
        floor_url = postgres.replace("postgresql+psycopg", "postgresql")
        pair = (lambda: usages.floor(floor_url, nats_url), lambda: usages.ours(urls, nats_url))
        yield Row("usages rated, by processor", *medians(pair, rounds), 0.3)


def medians(pair: tuple[Measure, Measure], rounds: int) -> tuple[float, float]:
    """Measures both in turns, once for warmth and then `rounds` times; answers the medians."""
    found: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + 1):
        for results, measure in zip(found, pair, strict=True):
            result = asyncio.run(measure())
            if turn:
                results.append(result)
    return statistics.median(found[0]), statistics.median(found[1])


@contextmanager
def servers(folder: Path, service: str = "sessions") -> Iterator[tuple[str, str, Urls]]:
    """Starts PostgreSQL and NATS, both durable, with a migrated database of a service."""
    postgres, nats = Postgres(folder / f"{service}-pg"), Nats(folder / f"{service}-nats")
    postgres.start()
    nats.start()
    try:
        passwords = {kind: f"bench-{kind}" for kind in ("owner", "app", "worker")}
        urls = provision(postgres.url(), service, passwords)
        migrate(urls.owner, service)
        yield postgres.url(), nats.url, urls
    finally:
        nats.stop()
        postgres.stop()


@contextmanager
def gateway(backend: int) -> Iterator[int]:
    """Starts the gateway before a backend; yields its port."""
    ports = free_ports()
    port, metrics = int(ports["WRTN_GATEWAY_PORT"]), ports["WRTN_GATEWAY_METRICS_PORT"]
    command = [sys.executable, "-m", "gateway", "--descriptor-set", str(ROOT / "wrtn" / "descriptors.binpb")]
    command += ["--backend", f"wrtn.sessions.v1=127.0.0.1:{backend}", "--port", str(port)]
    with started(command, env={**os.environ, "WRTN_GATEWAY_METRICS_PORT": metrics}):
        wait_for(f"http://127.0.0.1:{port}/v1/chatSessions?pageSize=50")
        yield port


def wait_for(url: str) -> None:
    """Returns when the address answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(200):
        try:
            with opener.open(url, timeout=5):
                return
        except OSError:
            sleep(0.1)
    raise TimeoutError(url)


if __name__ == "__main__":
    main()
