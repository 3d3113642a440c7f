"""PostgreSQL for tests: one server a run (one a worker of pytest-xdist), one fresh database a test.

A service is migrated once a run, into a template; each `database("billing")` is a copy of it.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio
from psycopg import sql

from chassis.clock import Clock
from chassis.database import Database
from chassis.database.migrate import migrate
from chassis.database.roles import KINDS, Connection, Urls, connect, create_database, provision, urls
from chassis.embedded.postgres import Postgres
from chassis.testing.folders import scratch

# The server lets everybody in who reaches its socket; the passwords only have to be there.
PASSWORDS = {kind: f"test-{kind}" for kind in KINDS}


@dataclass(frozen=True, slots=True)
class ServiceDatabase:
    """A test's own database of one service, with pools for its app and its worker role."""

    service: str
    name: str
    urls: Urls
    app: Database
    worker: Database


class DatabaseFactory(Protocol):
    """`await database("billing")`; `versions` names a folder of migrations other than the service's own."""

    def __call__(
        self, service: str, *, versions: Path | None = None, pool_size: int = 10, clock: Clock | None = None
    ) -> Awaitable[ServiceDatabase]: ...


@dataclass
class Templates:
    """The services migrated so far in this run. `admin` is a superuser's connection."""

    server: Postgres
    admin: Connection
    made: dict[str, str] = field(default_factory=dict)
    copies: int = 0

    def copy(self, service: str, versions: Path | None) -> str:
        """Makes a fresh database of the service and answers its name."""
        if service not in self.made:
            provisioned = provision(self.server.url(), service, PASSWORDS)
            migrate(provisioned.owner, service, versions=versions)
            self.made[service] = f"wrtn_{service}"
        self.copies += 1
        name = f"wrtn_{service}_{self.copies}"
        create_database(self.admin, service, name, self.made[service], strategy="FILE_COPY")
        return name

    def drop(self, name: str) -> None:
        """Drops a copy, whoever is connected to it."""
        self.admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of this run, on a unix socket. Tests that stop or kill it start their own."""
    folder = scratch("wrtn-pg-")
    server = Postgres(folder / "data", durable=False)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def templates(postgres: Postgres) -> Iterator[Templates]:
    """The template databases of this run; use `database`."""
    with connect(postgres.url()) as admin:
        yield Templates(postgres, admin)


@pytest.fixture
def clock() -> Clock:
    """The real clock; override it in a test module to hold time still."""
    return Clock()


@pytest_asyncio.fixture
async def database(templates: Templates, clock: Clock) -> AsyncIterator[DatabaseFactory]:
    """Answers a factory of fresh, migrated databases; they are dropped when the test ends."""
    async with databases(templates, clock) as factory:
        yield factory


@asynccontextmanager
async def databases(templates: Templates, default: Clock) -> AsyncIterator[DatabaseFactory]:
    """Answers a factory of fresh, migrated databases, dropped at the end: for a world of several tests."""
    made: list[ServiceDatabase] = []

    async def create(
        service: str, *, versions: Path | None = None, pool_size: int = 10, clock: Clock | None = None
    ) -> ServiceDatabase:
        name = templates.copy(service, versions)
        where = urls(templates.server.url(), service, PASSWORDS, name)
        app = Database(where.app, pool_size=pool_size, clock=clock or default)
        worker = Database(where.worker, pool_size=4, clock=clock or default)
        made.append(ServiceDatabase(service, name, where, app, worker))
        return made[-1]

    try:
        yield create
    finally:
        for each in made:
            await each.app.close()
            await each.worker.close()
            templates.drop(each.name)
