"""The enterprise service, served for real, with an identity beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from chassis.embedded.nats import Nats
from chassis.testing import names, web
from chassis.testing.brokers import emptied
from chassis.testing.callers import Callers
from chassis.testing.clocks import MovableClock
from chassis.testing.databases import Templates, databases
from chassis.testing.names import NameServer
from chassis.testing.serving import starting
from chassis.testing.web import WebServer
from chassis.testing.worlds import run_beside
from gateway.app import Gateway
from services.enterprise.main import wire
from services.enterprise.settings import EnterpriseSettings
from tests.enterprise import scim
from tests.enterprise.firm import Firm, firm_of
from tests.enterprise.identity import Identity, serving
from tests.enterprise.make import World
from tests.enterprise.scim import Directory


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(name: str, obj: object) -> None:
    """Runs the tests beside the world that they ask for, by whichever name."""
    run_beside(("world", "firm", "app", "directory", "name_server"), name, obj)


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """The running service on a migrated database. It asks identity about its callers, as in earnest.

    The tests of a module share it: each has enterprises of its own, and counts nothing of others. They may
    move its clock, which is never put back. What identity and the DNS know is forgotten after each test. A
    test that is marked `fresh` has a world of its own.
    """
    fresh = request.node.get_closest_marker("fresh") is not None
    found: World = request.getfixturevalue("own" if fresh else "shared")
    yield found
    found.forget()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(templates: Templates, shared_nats: Nats, peer_keys: Path) -> AsyncIterator[World]:
    """The world of a module."""
    async with running(templates, shared_nats, peer_keys) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def own(
    templates: Templates, nats_server: Nats, peer_keys: Path, webhooks_inside: bool
) -> AsyncIterator[World]:
    """The world of a test."""
    async with running(templates, nats_server, peer_keys, webhooks_inside=webhooks_inside) as made:
        yield made


@pytest.fixture
def webhooks_inside() -> bool:
    """Whether webhooks of a world of a test's own reach the tests, which are inside."""
    return True


@pytest.fixture
def name_server(world: World) -> NameServer:
    """The DNS of the world."""
    return world.dns


@pytest_asyncio.fixture(loop_scope="module")
async def firm(world: World) -> Firm:
    """An enterprise with a line of teams, and people in them."""
    return await firm_of(world)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(shared: World) -> AsyncIterator[Gateway]:
    """The gateway before the world of a module."""
    async with scim.gateway(shared) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def directory(world: World, app: Gateway) -> AsyncIterator[Directory]:
    """A directory with a key of an enterprise that has proven its domain, which is free again in the end."""
    owner = await world.owner()
    domain = await scim.prove(world, owner)
    key = world.identity.enterprise_key(owner.enterprise_id, "scim.provision")
    async with scim.calling(app, key) as http:
        yield Directory(world, owner, app, http, key)
    await scim.release(world, owner, domain)


@pytest.fixture
def restless(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the moved clock makes due is found at once, and not within a second."""
    monkeypatch.setattr("services.enterprise.webhooks.dispatching._IDLE", 0.05)


@pytest_asyncio.fixture(loop_scope="module")
async def receiver() -> AsyncIterator[WebServer]:
    """The enterprise's own system."""
    async with web.serving() as serving:
        yield serving


@asynccontextmanager
async def running(
    templates: Templates, nats: Nats, peer_keys: Path, *, webhooks_inside: bool = True
) -> AsyncIterator[World]:
    """The service beside an identity and a DNS of the tests, on a database of its own."""
    clock = MovableClock()
    callers, identity = Callers(clock, peer_keys), Identity(clock)  # type: ignore[abstract]  # only what is asked
    async with (
        databases(templates, clock) as database,
        emptied(nats) as broker,
        starting(database, broker, callers) as serve,
        names.serving() as dns,
        serving(identity) as identity_address,
    ):
        made = await database("enterprise")
        started = await serve(
            "enterprise",
            EnterpriseSettings,
            wire,
            database=made,
            known=False,
            clock=clock,
            identity_address=identity_address,
            dns_server=dns.address,
            webhooks_inside=webhooks_inside,
        )
        async with started.channel() as channel:
            yield World(started, identity, made, channel, callers, dns)
