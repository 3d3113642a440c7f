"""The enterprise service, served for real, with an identity beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from chassis.clock import Clock
from chassis.settings import ServiceSettings
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory
from chassis.testing.serving import Serve
from services.enterprise.main import wire
from tests.enterprise.identity import Identity, serving
from tests.enterprise.make import World


@pytest_asyncio.fixture
async def world(
    database: DatabaseFactory, serve: Serve, clock: Clock, callers: Callers
) -> AsyncIterator[World]:
    """The running service on a fresh database. It asks identity about its callers, as in earnest."""
    made = await database("enterprise")
    identity = Identity(clock)  # type: ignore[abstract]  # only what enterprise asks
    async with serving(identity) as address:
        running = await serve(
            "enterprise", ServiceSettings, wire, database=made, known=False, identity_address=address
        )
        async with running.channel() as channel:
            yield World(running, identity, made, channel, callers.peer("billing", "enterprise"))
