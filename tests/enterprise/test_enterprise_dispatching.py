"""Webhooks: what other services tell arrives, several dispatchers share the work, none is lost with one."""

from __future__ import annotations

from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.message import Message

from chassis import names
from chassis.events.envelope import Event
from chassis.outbound import Outbound
from chassis.testing.waiting import until
from chassis.testing.web import WebServer
from services.enterprise.webhooks.dispatching import Dispatcher
from services.enterprise.webhooks.settling import Settling
from tests.enterprise import hooks
from tests.enterprise.hooks import DELIVERED, PENDING
from tests.enterprise.make import World
from tests.usage import Person, publish, usage
from wrtn.billing.v1.events_pb2 import UsageRated
from wrtn.identity.v1.events_pb2 import AccountOpened

_MANY = 40


async def test_what_identity_sessions_and_billing_tell_is_sent_to_the_enterprise_it_concerns(
    world: World, receiver: WebServer
) -> None:
    owner, neighbour = await world.owner(), await world.owner()
    made = await hooks.created(world, owner, receiver.url, "identity.*", "sessions.*", "billing.*")
    bus = world.running.runtime.bus
    for tenant_id in (neighbour.enterprise_id, owner.enterprise_id):
        used = usage(Person(UUID(tenant_id)), at=world.clock.now())
        rated = UsageRated(
            history_id=used.history_id,
            model=used.model,
            cost="0.003",
            currency="EUR",
            attribution=used.attribution,
            use_time=used.use_time,
        )
        opened = AccountOpened(account_id=used.attribution.account_id, tenant_id=tenant_id)
        told: list[tuple[str, Message]] = [("identity", opened), ("sessions", used), ("billing", rated)]
        for service, message in told:
            event: Event[Any] = Event(
                world.clock.new_id(), world.clock.now(), UUID(tenant_id), world.clock.new_id(), 1, message
            )
            # Twice, as after a resend.
            await publish(bus, service, [event, event])
    await hooks.settled(world, owner, made.endpoint.id, *[DELIVERED] * 3)
    found = {each["type"]: each for each in hooks.bodies(receiver)}
    assert set(found) == {"identity.account.opened", "sessions.usage.recorded", "billing.usage.rated"}
    assert len(receiver.requests) == 3
    assert {each["tenant"] for each in found.values()} == {owner.enterprise_id}
    assert found["billing.usage.rated"]["data"]["cost"] == "0.003"
    assert found["sessions.usage.recorded"]["data"]["historyId"] == used.history_id


async def test_several_dispatchers_send_each_delivery_once(world: World, receiver: WebServer) -> None:
    owner = await world.owner()
    made = [await hooks.created(world, owner, receiver.url) for _ in range(2)]
    runtime = world.running.runtime
    async with AsyncExitStack() as stopping:
        for _ in range(3):
            more = Dispatcher(
                runtime.db,
                runtime.worker,
                runtime.keyring,
                Outbound(names.resolver(None), inside=True),
                Settling(runtime.db, runtime.worker),
            )
            await more.start()
            stopping.push_async_callback(more.stop)
        for number in range(_MANY):
            await hooks.tested(world, owner, made[number % 2].endpoint.id)
        for each in made:
            await hooks.settled(world, owner, each.endpoint.id, *[DELIVERED] * (_MANY // 2))
    sent = Counter(request.headers["webhook-id"] for request in receiver.requests)
    assert (len(sent), set(sent.values())) == (_MANY, {1})


async def test_what_was_sent_by_one_that_died_before_writing_it_down_is_sent_again_under_the_same_id(
    world: World, receiver: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await world.owner()
    made = await hooks.created(world, owner, receiver.url)
    died: list[tuple[Any, ...]] = []
    settle = Settling.settle

    async def die(settling: Settling, *what: Any) -> None:
        if not died:
            died.append(what)
            raise RuntimeError("killed")
        await settle(settling, *what)

    monkeypatch.setattr(Settling, "settle", die)
    await hooks.tested(world, owner, made.endpoint.id)
    await until(lambda: len(receiver.requests) == 1)
    (left,) = await hooks.settled(world, owner, made.endpoint.id, PENDING)
    # It is nobody else's while the claim lasts: another delivery goes out, this one does not.
    await hooks.tested(world, owner, made.endpoint.id)
    await hooks.settled(world, owner, made.endpoint.id, PENDING, DELIVERED)
    assert len(receiver.requests) == 2
    hooks.later(world, timedelta(seconds=61))
    found = await hooks.settled(world, owner, made.endpoint.id, DELIVERED, DELIVERED)
    ids = [request.headers["webhook-id"] for request in receiver.requests]
    assert ids[0] == ids[2] == left.event_id != ids[1]
    assert len(await hooks.attempts(world, owner, found[0].id)) == 1
