"""What the worlds of these tests stand on: identity over servers that the run has, and nothing in them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from argon2 import PasswordHasher

from chassis.embedded.nats import Nats
from chassis.embedded.postgres import Postgres
from chassis.testing.brokers import emptied
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory, ServiceDatabase, Templates, databases
from services.identity.settings import IdentitySettings
from tests.identity.service import CHEAP, Identity, MovableClock, serving, settings
from tests.identity.smtp_server import Mailbox, smtp_server


@dataclass(frozen=True)
class Servers:
    """The servers of a run."""

    templates: Templates
    postgres: Postgres
    nats: Nats
    peer_keys: Path


@dataclass(frozen=True)
class Ground:
    """A factory of fresh databases, NATS without streams, an empty mailbox and folder."""

    database: DatabaseFactory
    postgres: Postgres
    nats: Nats
    mailbox: Mailbox
    callers: Callers
    clock: MovableClock
    folder: Path

    def settings(self, made: ServiceDatabase) -> IdentitySettings:
        """Answers the settings of identity over this database."""
        return settings(made, self.nats, self.mailbox, self.callers, self.folder)

    @asynccontextmanager
    async def serving(
        self, made: ServiceDatabase, chosen: IdentitySettings, hasher: PasswordHasher = CHEAP
    ) -> AsyncIterator[Identity]:
        """Serves identity over this database by these settings."""
        url = self.postgres.url(made.name)
        async with serving(chosen, made, self.mailbox, self.callers, url, self.clock, hasher) as identity:
            yield identity


@asynccontextmanager
async def ground(servers: Servers, clock: MovableClock, folder: Path) -> AsyncIterator[Ground]:
    """Prepares it, and clears it away at the end."""
    async with (
        databases(servers.templates, clock) as database,
        emptied(servers.nats) as nats,
        smtp_server(Mailbox()) as mailbox,
    ):
        callers = Callers(clock, servers.peer_keys)
        yield Ground(database, servers.postgres, nats, mailbox, callers, clock, folder)


@asynccontextmanager
async def served(on: Ground, hasher: PasswordHasher = CHEAP) -> AsyncIterator[Identity]:
    """Serves identity over a fresh database."""
    made = await on.database("identity")
    async with on.serving(made, on.settings(made), hasher) as identity:
        yield identity
