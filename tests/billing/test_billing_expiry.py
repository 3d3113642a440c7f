"""Reservations expire when their time is over and its usage consumed; sessions is a server of ours."""
# ruff: noqa: N802 - gRPC methods are named as in the proto

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import grpc
import pytest_asyncio

from chassis.database.roles import connect
from chassis.events.progress import last_sequence
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory
from chassis.testing.serving import Serve
from chassis.testing.waiting import until
from services.billing.main import wire
from services.billing.settings import BillingSettings
from services.billing.spending.expiry import BATCH, Expiry
from tests.billing.office import MODEL, Office, found, replica
from tests.usage import publish, recorded, tokens, usage
from wrtn.billing.v1.budgets_pb2 import Budget
from wrtn.billing.v1.spending_pb2 import ExtendReservationRequest, GetReservationRequest, Reservation
from wrtn.sessions.v1.events_pb2 import UsageRecorded
from wrtn.sessions.v1.usage_progress_pb2 import UsageProgress
from wrtn.sessions.v1.usage_progress_pb2_grpc import (
    UsageProgressServiceServicer,
    add_UsageProgressServiceServicer_to_server,
)


class Progress(UsageProgressServiceServicer):
    """What sessions says; away until it is told."""

    def __init__(self) -> None:
        self.answer: UsageProgress | None = None

    async def GetUsageProgress(self, request: Any, context: Any) -> UsageProgress:
        if self.answer is None:
            await context.abort(grpc.StatusCode.UNAVAILABLE)
        assert self.answer is not None
        return self.answer


@dataclass
class World:
    """An office, the peer, and the job, run by hand."""

    office: Office
    progress: Progress
    expiry: Expiry

    async def published(self, until_time: datetime) -> None:
        """Has sessions say that all usage until then is in the stream."""
        bus = self.office.replica.running.runtime.bus
        sequence = await last_sequence(bus, "sessions", UsageRecorded)
        self.progress.answer = UsageProgress(last_sequence=sequence)
        self.progress.answer.publish_time.FromDatetime(until_time)

    async def state(self, made: Reservation) -> Reservation.State.ValueType:
        """Answers the state of a reservation."""
        request = GetReservationRequest(tenant_id=str(self.office.id), reservation_id=made.id)
        spends = self.office.replica.spends
        return (await spends.GetReservation(request, metadata=self.office.credential.metadata)).state

    async def reserved(self, budget: Budget) -> str:
        """Answers what is reserved of a budget."""
        return (await self.office.read(budget)).status.reserved

    @property
    def now(self) -> datetime:
        return self.office.replica.running.runtime.clock.now()


@pytest_asyncio.fixture
async def world(database: DatabaseFactory, serve: Serve, callers: Callers) -> AsyncIterator[World]:
    """Billing with sessions beside it. No run of the job comes by itself: the test holds its lease."""
    made = await database("billing")
    with connect(made.urls.worker) as worker:
        worker.execute("INSERT INTO wrtn_leases VALUES ('expire-reservations', 'test', now() + '1 day')")
    progress, server = Progress(), grpc.aio.server()
    add_UsageProgressServiceServicer_to_server(progress, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    address = f"127.0.0.1:{port}"
    running = await serve("billing", BillingSettings, wire, database=made, sessions_address=address)
    runtime = running.runtime
    async with replica(running) as stubs:
        office = await found(stubs, made, callers)
        yield World(office, progress, Expiry(runtime.db, runtime.worker, runtime.bus, runtime.peers))
    await server.stop(None)


async def test_the_hold_of_a_killed_spender_comes_back_once_its_usage_could_have_come(world: World) -> None:
    budget = await world.office.budget("10")
    await world.office.use(1)
    made = await world.office.spend("4")
    await world.expiry.run()  # sessions is away
    assert await world.state(made) == Reservation.STATE_HELD
    await world.published(world.now + timedelta(minutes=9))
    await world.expiry.run()  # not past its time
    assert (await world.state(made), await world.reserved(budget)) == (Reservation.STATE_HELD, "4")
    await world.published(world.now + timedelta(minutes=11))

    async def expired() -> bool:
        await world.expiry.run()
        return await world.state(made) == Reservation.STATE_EXPIRED

    await until(expired)
    assert await world.reserved(budget) == "0"


async def test_nothing_expires_before_the_usage_up_to_then_is_consumed(world: World) -> None:
    office, budget = world.office, await world.office.budget("10")
    made = await office.spend("4")
    message = usage(office.person, tokens(1_000_000, 0, 0), model=MODEL, at=world.now)
    message.reservation_id = made.id
    with connect(office.database.urls.owner) as owner, owner.transaction():
        # The consumer stands still from here on.
        owner.execute("LOCK TABLE wrtn_usages IN EXCLUSIVE MODE")
        await publish(office.replica.running.runtime.bus, "sessions", [recorded(message)])
        await world.published(world.now + timedelta(hours=1))
        for _ in range(3):
            await world.expiry.run()
        assert (await world.state(made), await world.reserved(budget)) == (Reservation.STATE_HELD, "4")

    async def settled() -> bool:
        await world.expiry.run()
        return await world.state(made) == Reservation.STATE_SETTLED

    await until(settled)
    status = (await office.read(budget)).status
    assert (status.spent, status.reserved) == ("2", "0")


async def test_a_usage_after_the_expiry_is_spent_whole(world: World) -> None:
    budget = await world.office.budget("10")
    await world.office.use(1)
    made = await world.office.spend("4")
    await world.published(world.now + timedelta(hours=1))

    async def expired() -> bool:
        await world.expiry.run()
        return await world.state(made) == Reservation.STATE_EXPIRED

    await until(expired)
    await world.office.use(3_000_000, made)
    status = (await world.office.read(budget)).status
    assert (status.spent, status.reserved) == ("6.000002", "0")


async def test_more_than_a_batch_expires_and_what_was_prolonged_does_not(world: World) -> None:
    office, budget = world.office, await world.office.budget("1000")
    await office.use(1)
    kept = await office.spend("3")
    request = ExtendReservationRequest(tenant_id=str(office.id), reservation_id=kept.id)
    request.hold.FromTimedelta(timedelta(minutes=60))
    await office.replica.spends.ExtendReservation(request, metadata=office.credential.metadata)
    made = await office.spend("1")
    query = """INSERT INTO wrtn_reservations
        SELECT (jsonb_populate_record(r, jsonb_build_object('id', uuidv7()))).* FROM wrtn_reservations AS r,
        generate_series(1, %s) WHERE r.id = %s"""
    with connect(office.database.urls.owner) as owner:
        owner.execute("SELECT set_config('wrtn.tenants', %s, false)", (f"{{{office.id}}}",))
        owner.execute(query, (BATCH, made.id))
        owner.execute("UPDATE wrtn_budget_periods SET reserved = reserved + %s", (BATCH,))
    await world.published(world.now + timedelta(minutes=30))

    async def expired() -> bool:
        await world.expiry.run()
        return await world.reserved(budget) == "3"

    await until(expired)
    assert await world.state(kept) == Reservation.STATE_HELD
