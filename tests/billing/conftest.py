"""What tests of billing share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from chassis.clock import Clock
from chassis.embedded.nats import Nats
from chassis.testing.brokers import emptied
from chassis.testing.callers import Callers
from chassis.testing.databases import Templates, databases
from chassis.testing.serving import starting
from services.billing.main import wire
from services.billing.settings import BillingSettings
from tests.billing import buyers
from tests.billing import office as offices
from tests.billing.buyers import Buyer, StillClock, opened
from tests.billing.costing import Costing
from tests.billing.office import Office
from tests.billing.paying import PayWorld, pay_world, stripe_process
from tests.billing.purses import Purses, purses
from wrtn.billing.v1.costs_pb2_grpc import CostServiceStub
from wrtn.billing.v1.prices_pb2_grpc import PriceServiceStub


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    templates: Templates, nats_server: Nats, peer_keys: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[PayWorld]:
    """Billing with cards, shared by the tests of a module."""
    clock = Clock()
    callers = Callers(clock, peer_keys)
    async with databases(templates, clock) as database, emptied(nats_server) as broker:
        made = await database("billing")
        with stripe_process() as url:
            async with starting(database, broker, callers) as serve:
                folder = tmp_path_factory.mktemp("stripe")
                async with pay_world(serve, made, callers, url, folder) as found:
                    yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(templates: Templates, nats_server: Nats, peer_keys: Path) -> AsyncIterator[Purses]:
    """Billing for a module whose tests keep to tenants of their own, and count nothing else."""
    clock = Clock()
    async with databases(templates, clock) as database, emptied(nats_server) as broker:
        callers, made = Callers(clock, peer_keys), await database("billing")
        async with starting(database, broker, callers) as serve:
            running = await serve("billing", BillingSettings, wire, database=made)
            async with purses(running, made, callers) as found:
                yield found


@pytest_asyncio.fixture(loop_scope="module")
async def office(shared: Purses) -> Office:
    """An enterprise with three teams above each other, in the billing that the tests of a module share."""
    stubs = offices.stubs(shared.running, shared.channel)
    return await offices.found(stubs, shared.database, shared.callers)


@pytest.fixture
def costing(shared: Purses) -> Costing:
    """Costs in the billing that the tests of a module share."""
    channel = shared.channel
    return Costing(
        shared.running, shared.database, CostServiceStub(channel), PriceServiceStub(channel), shared.callers
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(templates: Templates, nats_server: Nats, peer_keys: Path) -> AsyncIterator[Buyer]:
    """Billing by a clock that tests set, for a module whose tests keep to enterprises of their own."""
    clock = Clock()
    callers = Callers(clock, peer_keys)
    async with (
        databases(templates, clock) as database,
        emptied(nats_server) as broker,
        starting(database, broker, callers) as serve,
        opened(database, serve, callers, tax_rates="DE=19", seller="Seller Inc.|1 Road") as made,
    ):
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def buyer(shop: Buyer) -> Buyer:
    """An enterprise in the billing that the tests of a module share. Teams have no names."""
    shop.clock.moment = StillClock.moment
    shop.directory.names = {}
    return await buyers.found(shop)
