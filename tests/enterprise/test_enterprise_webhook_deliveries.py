"""What webhooks deliver: signed, in order, once more, and kept on record."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from chassis.testing import web
from chassis.testing.waiting import until
from chassis.testing.web import Request, Response, WebServer
from services.enterprise.webhooks import settling
from tests.enterprise import hooks
from tests.enterprise.hooks import DELIVERED, PENDING
from tests.enterprise.make import World
from wrtn.access.v1.access_pb2 import ROLE_CHIEF, ROLE_MEMBER
from wrtn.enterprise.v1 import webhooks_pb2 as pb

_DAY = timedelta(days=1)
pytestmark = pytest.mark.usefixtures("restless")
# Events bear the database's time: an endpoint that is made by a clock ahead of it is told of none.
MOVED = pytest.mark.fresh


async def test_an_event_is_sent_signed_with_its_ids_and_facts(world: World, receiver: WebServer) -> None:
    owner = await world.owner()
    made = await hooks.created(world, owner, receiver.url)
    team_id = await world.team(owner)
    (sent,) = await hooks.settled(world, owner, made.endpoint.id, DELIVERED)
    (request,) = receiver.requests
    found = Webhook(made.secret).verify(request.body, dict(request.headers))
    assert found == hooks.body(request)
    assert (found["id"], found["type"]) == (request.headers["webhook-id"], "enterprise.team.created")
    assert (found["tenant"], found["subject"], found["version"]) == (owner.enterprise_id, team_id, 1)
    assert found["data"] == {"enterpriseId": owner.enterprise_id, "teamId": team_id}
    assert (sent.event_id, sent.object_id, sent.last_status) == (found["id"], team_id, 200)
    with pytest.raises(WebhookVerificationError):
        Webhook(made.secret).verify(request.body + b" ", dict(request.headers))


async def test_an_endpoint_gets_what_it_asks_for(world: World, receiver: WebServer) -> None:
    owner = await world.owner()
    teams = await hooks.created(world, owner, receiver.url, "enterprise.team.*")
    people = await hooks.created(world, owner, receiver.url, "enterprise.employee.hired")
    await world.team(owner)
    await world.hire(owner)
    await hooks.settled(world, owner, teams.endpoint.id, DELIVERED)
    await hooks.settled(world, owner, people.endpoint.id, DELIVERED)
    assert sorted(each["type"] for each in hooks.bodies(receiver)) == [
        "enterprise.employee.hired",
        "enterprise.team.created",
    ]


async def test_an_enterprise_is_told_nothing_of_another(world: World, receiver: WebServer) -> None:
    owner, other = await world.owner(), await world.owner()
    made = await hooks.created(world, owner, receiver.url)
    await world.team(other)
    team_id = await world.team(owner)
    await hooks.settled(world, owner, made.endpoint.id, DELIVERED)
    assert [each["subject"] for each in hooks.bodies(receiver)] == [team_id]


async def test_an_endpoint_is_told_nothing_of_before_its_time(world: World, receiver: WebServer) -> None:
    owner = await world.owner()
    await world.team(owner)
    made = await hooks.created(world, owner, receiver.url)
    team_id = await world.team(owner)
    await hooks.settled(world, owner, made.endpoint.id, DELIVERED)
    assert [each["subject"] for each in hooks.bodies(receiver)] == [team_id]


@MOVED
async def test_both_secrets_sign_while_one_follows_the_other(world: World, receiver: WebServer) -> None:
    owner = await world.owner()
    made = await hooks.created(world, owner, receiver.url)
    request = pb.RotateWebhookSecretRequest(enterprise_id=owner.enterprise_id, endpoint_id=made.endpoint.id)
    rotated = await world.webhooks.RotateWebhookSecret(request, metadata=owner.metadata)
    await hooks.tested(world, owner, made.endpoint.id)
    await until(lambda: len(receiver.requests) == 1)
    for secret in (made.secret, rotated.secret):
        Webhook(secret).verify(receiver.requests[0].body, dict(receiver.requests[0].headers))
    hooks.later(world, timedelta(hours=24, minutes=1))
    await hooks.tested(world, owner, made.endpoint.id)
    await until(lambda: len(receiver.requests) == 2)
    assert len(receiver.requests[1].headers["webhook-signature"].split()) == 1


async def test_a_slow_endpoint_stops_no_other(world: World, receiver: WebServer) -> None:
    owner = await world.owner()
    hanging = asyncio.Event()

    async def slow(request: Request) -> Response:
        await hanging.wait()
        return Response()

    async with web.serving(slow) as tarpit:
        stuck = await hooks.created(world, owner, tarpit.url)
        swift = await hooks.created(world, owner, receiver.url)
        for _ in range(12):
            await hooks.tested(world, owner, stuck.endpoint.id)
        await until(lambda: tarpit.connections > 0)
        for _ in range(12):
            await hooks.tested(world, owner, swift.endpoint.id)
        await hooks.settled(world, owner, swift.endpoint.id, *[DELIVERED] * 12)
        assert tarpit.connections <= 4
        hanging.set()
        await hooks.settled(world, owner, stuck.endpoint.id, *[DELIVERED] * 12)


@MOVED
async def test_the_events_of_an_object_come_in_the_order_of_its_versions(
    world: World, receiver: WebServer
) -> None:
    owner = await world.owner()
    worker, team_id = await world.hire(owner), await world.team(owner)
    made = await hooks.created(world, owner, receiver.url, "enterprise.companion.*")
    receiver.handler = hooks.answering(500)
    await world.appoint(owner, team_id, worker, ROLE_MEMBER)
    (first,) = await hooks.settled(world, owner, made.endpoint.id, PENDING)
    await hooks.attempted(world, owner, first.id, 1)
    await world.appoint(owner, team_id, worker, ROLE_CHIEF)
    await hooks.settled(world, owner, made.endpoint.id, PENDING, PENDING)
    hooks.later(world, timedelta(seconds=3))
    sent = await hooks.tested(world, owner, made.endpoint.id)
    await hooks.attempted(world, owner, sent.id, 1)
    assert {each.get("version") for each in hooks.bodies(receiver)} == {1}
    receiver.handler = web.well
    await hooks.idle(world, owner)
    hooks.later(world, timedelta(minutes=6))
    await hooks.settled(world, owner, made.endpoint.id, DELIVERED, DELIVERED, DELIVERED)
    told = [each for each in hooks.bodies(receiver) if each["type"] == "enterprise.companion.appointed"]
    versions = [each["version"] for each in told]
    assert versions == [*[1] * (len(versions) - 1), 2]
    assert len(versions) > 2


@MOVED
async def test_what_a_later_version_has_overtaken_is_skipped(world: World, receiver: WebServer) -> None:
    owner = await world.owner()
    worker, team_id = await world.hire(owner), await world.team(owner)
    made = await hooks.created(world, owner, receiver.url, "enterprise.companion.*")
    await world.appoint(owner, team_id, worker, ROLE_MEMBER)
    await hooks.settled(world, owner, made.endpoint.id, DELIVERED)
    # As if it had turned up only after a version that was delivered.
    await hooks.executed(
        world, owner, "UPDATE wrtn_webhook_deliveries SET version = 9 WHERE state = 'DELIVERED'"
    )
    await world.appoint(owner, team_id, worker, ROLE_CHIEF)
    hooks.later(world, timedelta(seconds=2))
    found = await hooks.settled(world, owner, made.endpoint.id, DELIVERED, hooks.SKIPPED)
    assert [each.attempt_count for each in found] == [1, 0]
    assert len(receiver.requests) == 1
    await hooks.replayed(world, owner, found[1].id)
    await hooks.settled(world, owner, made.endpoint.id, DELIVERED, DELIVERED, hooks.SKIPPED)
    assert [each["version"] for each in hooks.bodies(receiver)] == [1, 2]


async def test_one_delivery_is_replayed_under_the_same_event(world: World, receiver: WebServer) -> None:
    owner = await world.owner()
    made = await hooks.created(world, owner, receiver.url)
    await world.team(owner)
    (first,) = await hooks.settled(world, owner, made.endpoint.id, DELIVERED)
    again = await hooks.replayed(world, owner, first.id)
    assert again.replay
    await hooks.settled(world, owner, made.endpoint.id, DELIVERED, DELIVERED)
    assert receiver.requests[0].body == receiver.requests[1].body
    assert receiver.requests[0].headers["webhook-id"] == receiver.requests[1].headers["webhook-id"]


async def test_a_range_is_replayed_with_what_was_missed(world: World, receiver: WebServer) -> None:
    owner = await world.owner()
    made = await hooks.created(world, owner, receiver.url, "enterprise.team.*")
    other = await hooks.created(world, owner, receiver.url, "enterprise.employee.*")
    await world.team(owner)
    await hooks.settled(world, owner, made.endpoint.id, DELIVERED)
    # What another endpoint asks for is kept too, and is not replayed to this one.
    await world.hire(owner)
    await hooks.settled(world, owner, other.endpoint.id, DELIVERED)
    await hooks.changed(world, owner, "Disable", made.endpoint.id)
    missed = await world.team(owner)

    async def kept() -> list[tuple[object, ...]]:
        query = "SELECT 1 FROM wrtn_webhook_events WHERE object_id = %s"
        return await hooks.executed(world, owner, query, missed)

    await until(kept)
    await hooks.changed(world, owner, "Enable", made.endpoint.id)
    request = pb.ReplayWebhookEventsRequest(
        enterprise_id=owner.enterprise_id,
        endpoint_id=made.endpoint.id,
        start_time=hooks.moment(world, -timedelta(hours=1)),
        end_time=hooks.moment(world, timedelta(hours=1)),
    )
    answer = await world.webhooks.ReplayWebhookEvents(request, metadata=owner.metadata)
    assert answer.delivery_count == 2
    await hooks.settled(world, owner, made.endpoint.id, *[DELIVERED] * 3)
    assert missed in {each["subject"] for each in hooks.bodies(receiver)}


@MOVED
async def test_the_log_is_kept_for_thirty_days(world: World, receiver: WebServer) -> None:
    owner = await world.owner()
    made = await hooks.created(world, owner, receiver.url)
    await hooks.tested(world, owner, made.endpoint.id)
    await hooks.settled(world, owner, made.endpoint.id, DELIVERED)
    runtime = world.running.runtime
    purging = settling.Settling(runtime.db, runtime.worker)
    hooks.later(world, 29 * _DAY)
    await purging.purge()
    assert len(await hooks.deliveries(world, owner, made.endpoint.id)) == 1
    hooks.later(world, 2 * _DAY)
    await purging.purge()
    assert not await hooks.deliveries(world, owner, made.endpoint.id)
    for table in ("events", "attempts"):
        assert not await hooks.executed(world, owner, f"SELECT 1 FROM wrtn_webhook_{table}")
