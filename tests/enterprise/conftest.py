"""The enterprise service, served for real, with an identity beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from chassis.clock import Clock
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory
from chassis.testing.names import NameServer
from chassis.testing.serving import Serve
from services.enterprise.main import wire
from services.enterprise.settings import EnterpriseSettings
from tests.enterprise.identity import Identity, serving
from tests.enterprise.make import World


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
    made = await database("enterprise")
    identity = Identity(clock)  # type: ignore[abstract]  # only what enterprise asks
    async with serving(identity) as address:
        running = await serve(
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
        async with running.channel() as channel:
            yield World(running, identity, made, channel, callers)
