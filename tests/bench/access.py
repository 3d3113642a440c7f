"""How fast rights are resolved in a large enterprise: from the cache, cold, and while its tree is changed."""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvloop

from chassis.access.employment import AccessCache, AccessSource
from chassis.audit.recording import AuditTrail
from chassis.clock import Clock
from chassis.crypto import Keyring
from chassis.crypto.keyring import KEY_BYTES
from chassis.database import Database, Scope
from chassis.database.migrate import migrate
from chassis.database.roles import provision
from chassis.embedded.postgres import Postgres
from services.enterprise.rights import access
from services.enterprise.teams import moving
from tests.bench import enterprises
from tests.bench.enterprises import DENIED, Enterprise
from wrtn.enterprise.v1.access_pb2 import ResolveAccessRequest
from wrtn.enterprise.v1.teams_pb2 import MoveTeamRequest

WARM = 200
COLD = 3_000
CACHED = 200_000
KEPT = 10_000
MOVES = 20


@dataclass(frozen=True, slots=True)
class Limit:
    """One path, how long it takes, and how long it may."""

    name: str
    unit: str
    median: float
    measured: float
    target: float

    def __str__(self) -> str:
        sign = "ok" if self.measured <= self.target else "above"
        return (
            f"{self.name:<34} median {self.median:>8.2f} {self.unit}   "
            f"{self.measured:>8.2f} {self.unit}   target {self.target:>5g} {self.unit}   {sign}"
        )


def accesses(folder: Path) -> Iterator[Limit]:
    """Resolves rights among 10,000 teams ten deep and 100,000 employees."""
    postgres = Postgres(folder / "access")
    postgres.start()
    try:
        passwords = {kind: f"bench-{kind}" for kind in ("owner", "app", "worker")}
        urls = provision(postgres.url(), "enterprise", passwords)
        migrate(urls.owner, "enterprise")
        made = enterprises.build(postgres.url("wrtn_enterprise").replace("+psycopg", ""))
        yield from uvloop.run(_measured(urls.app, made))
    finally:
        postgres.stop()


async def _measured(url: str, made: Enterprise) -> list[Limit]:
    database, keyring = Database(url, pool_size=10, clock=Clock()), Keyring(os.urandom(KEY_BYTES))
    database.auditor = AuditTrail("enterprise", keyring)
    try:
        source = access.source(database)
        for number in range(WARM):
            await source(_request(made, number))
        cold = [await _timed(source, _request(made, number)) for number in _some(COLD)]
        rows = [Limit("access check, cold, p99", "ms", statistics.median(cold), _p99(cold), 5)]
        cached = await _cached(source, made)
        rows.append(Limit("access check, cached, p99", "us", statistics.median(cached), _p99(cached), 50))
        return [*rows, *await _moved(database, keyring, source, made)]
    finally:
        await database.close()


async def _cached(source: AccessSource, made: Enterprise) -> list[float]:
    """Answers how many microseconds each of many hits takes, spread over the kept answers."""
    cache = AccessCache(source, ttl=3600)
    keys = [made.people[number] for number in _some(KEPT)]
    for each in keys:
        await cache.resolve(made.id, each.account_id, each.team_id, member_id=each.member_id, resource=DENIED)
    taken = []
    for number in range(CACHED):
        each = keys[number * 7919 % KEPT]
        began = time.perf_counter_ns()
        await cache.resolve(made.id, each.account_id, each.team_id, member_id=each.member_id, resource=DENIED)
        taken.append((time.perf_counter_ns() - began) / 1e3)
    return taken


async def _moved(database: Database, keyring: Keyring, source: AccessSource, made: Enterprise) -> list[Limit]:
    """Hangs one half of the tree below the other and back, while others go on asking."""
    taken, asked = [], []
    going = True

    async def ask() -> None:
        for number in _some(1_000_000):
            if not going:
                return
            asked.append(await _timed(source, _request(made, number)))

    asking = asyncio.create_task(ask())
    for turn in range(MOVES):
        began = time.perf_counter()
        await _move(database, keyring, made, below=turn % 2 == 0)
        taken.append((time.perf_counter() - began) * 1e3)
    going = False
    await asking
    return [
        Limit("moving 5,000 teams, slowest", "ms", statistics.median(taken), max(taken), 200),
        Limit("access check beside moves, p99", "ms", statistics.median(asked), _p99(asked), 5),
    ]


async def _timed(source: AccessSource, request: ResolveAccessRequest) -> float:
    """Answers how many milliseconds the question takes."""
    began = time.perf_counter()
    answer = await source(request)
    taken = (time.perf_counter() - began) * 1e3
    if answer.team.team_id != request.team_id:
        raise RuntimeError("the enterprise is not what it should be")
    return taken


def _request(made: Enterprise, number: int) -> ResolveAccessRequest:
    each = made.people[number]
    return ResolveAccessRequest(
        enterprise_id=str(made.id),
        account_id=str(each.account_id),
        member_id=str(each.member_id),
        team_id=str(each.team_id),
        resource=DENIED,
    )


def _some(count: int) -> Iterator[int]:
    """Answers the numbers of employees, without an order, the same ones in each run."""
    chance = random.Random(count)
    return (chance.randrange(enterprises.EMPLOYEES) for _ in range(count))


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


async def _move(database: Database, keyring: Keyring, made: Enterprise, *, below: bool) -> None:
    """Moves the second half of the tree below the first, or back to the top, as MoveTeam does."""
    request = MoveTeamRequest(
        enterprise_id=str(made.id),
        team_id=str(made.tops[1]),
        parent_team_id=str(made.tops[0]) if below else "",
    )
    async with database.transaction(Scope.of(made.id)) as tx:
        await moving.move(tx, keyring, made.owner.member_id, request)
