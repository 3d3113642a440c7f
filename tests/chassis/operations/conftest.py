"""The service that works."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from chassis.embedded.nats import Nats
from chassis.settings import ServiceSettings
from chassis.testing.callers import Callers
from chassis.testing.clocks import MovableClock
from chassis.testing.databases import ServiceDatabase
from chassis.testing.serving import settings_of
from tests.chassis.operating import Script, World, working


@pytest.fixture
def clock() -> MovableClock:
    """A clock that a test may set ahead."""
    return MovableClock()


@pytest.fixture
def script() -> Script:
    """What the work does."""
    return Script()


@pytest_asyncio.fixture
async def world(
    service_database: ServiceDatabase, nats: Nats, callers: Callers, clock: MovableClock, script: Script
) -> AsyncIterator[World]:
    """The running service."""
    settings = settings_of(ServiceSettings, "sample", service_database, nats.url, callers)
    async with working(settings, service_database, callers, clock, script) as made:
        yield made
