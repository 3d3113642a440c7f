"""The enterprise service, served for real, with an identity beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from chassis.clock import Clock
from chassis.embedded.nats import Nats
from chassis.testing import names, web
from chassis.testing.brokers import emptied
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory, Templates, databases
from chassis.testing.names import NameServer
from chassis.testing.serving import Serve, starting
from chassis.testing.web import WebServer
from services.enterprise.main import wire
from services.enterprise.settings import EnterpriseSettings
from tests.enterprise import scim
from tests.enterprise.firm import Firm, firm_of
from tests.enterprise.identity import Identity, serving
from tests.enterprise.make import World
from tests.enterprise.scim import Directory


@pytest.fixture
def webhooks_inside() -> bool:
    """Whether webhooks reach the tests, which are inside."""
    return True


@pytest_asyncio.fixture
async def world(
    database: DatabaseFactory,
    serve: Serve,
    clock: Clock,
    callers: Callers,
    name_server: NameServer,
    webhooks_inside: bool,
) -> AsyncIterator[World]:
    """The running service on a fresh database. It asks identity about its callers, as in earnest."""
    async with running(database, serve, clock, callers, name_server, webhooks_inside=webhooks_inside) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(templates: Templates, nats_server: Nats, peer_keys: Path) -> AsyncIterator[World]:
    """The same for all tests of a module: each has enterprises of its own, and leaves identity as it was."""
    clock = Clock()
    callers = Callers(clock, peer_keys)
    async with (
        databases(templates, clock) as database,
        emptied(nats_server) as broker,
        names.serving() as name_server,
        starting(database, broker, callers) as serve,
        running(database, serve, clock, callers, name_server, webhooks_inside=True) as made,
    ):
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def firm(shared: World) -> Firm:
    """An enterprise with a line of teams, in the world that the tests of a module share."""
    return await firm_of(shared)


@pytest_asyncio.fixture
async def directory(world: World, name_server: NameServer) -> AsyncIterator[Directory]:
    """A directory with a key of an enterprise that has proven its domain."""
    owner = await world.owner()
    await scim.prove(world, owner, name_server)
    key = world.identity.enterprise_key(owner.enterprise_id, "scim.provision")
    async with scim.gateway(world) as app, scim.calling(app, key) as http:
        yield Directory(world, owner, app, http, key)


@pytest.fixture
def restless(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the moved clock makes due is found at once, and not within a second."""
    monkeypatch.setattr("services.enterprise.webhooks.dispatching._IDLE", 0.05)


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[WebServer]:
    """The enterprise's own system."""
    async with web.serving() as serving:
        yield serving


@asynccontextmanager
async def running(
    database: DatabaseFactory,
    serve: Serve,
    clock: Clock,
    callers: Callers,
    name_server: NameServer,
    *,
    webhooks_inside: bool,
) -> AsyncIterator[World]:
    """The service beside an identity of the tests."""
    made = await database("enterprise")
    identity = Identity(clock)  # type: ignore[abstract]  # only what enterprise asks
    async with serving(identity) as address:
        started = await serve(
            "enterprise",
            EnterpriseSettings,
            wire,
            database=made,
            known=False,
            clock=clock,
            identity_address=address,
            dns_server=name_server.address,
            webhooks_inside=webhooks_inside,
        )
        async with started.channel() as channel:
            yield World(started, identity, made, channel, callers)
