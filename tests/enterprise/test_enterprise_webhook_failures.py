"""Webhooks that fail: tried again, given up, disabled."""

from __future__ import annotations

from datetime import timedelta

import grpc
import pytest

from chassis.testing import web
from chassis.testing.web import Request, Response, WebServer
from services.enterprise.webhooks import settling
from tests.enterprise import hooks
from tests.enterprise.hooks import DELIVERED, FAILED, PENDING
from tests.enterprise.make import World, refusal
from wrtn.enterprise.v1 import webhooks_pb2 as pb

_DAY = timedelta(days=1)
pytestmark = pytest.mark.usefixtures("restless")


async def test_a_failure_is_tried_again_for_three_days_then_it_failed(
    world: World, receiver: WebServer
) -> None:
    owner = await world.owner()
    made = await hooks.created(world, owner, receiver.url)
    receiver.handler = hooks.answering(500, b"out of order")
    sent = await hooks.tested(world, owner, made.endpoint.id)
    began = world.clock.now()
    for number, delay in enumerate(settling.DELAYS, start=1):
        found = await hooks.attempted(world, owner, sent.id, number)
        assert (found.state, found.last_status) == (PENDING, 500)
        hooks.later(world, delay)
    found = await hooks.attempted(world, owner, sent.id, 10)
    assert found.state == FAILED
    assert timedelta(days=3) < world.clock.now() - began < timedelta(days=4)
    assert [each.number for each in found.attempts] == list(range(1, 11))
    assert {each.excerpt for each in found.attempts} == {"out of order"}
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1


async def test_what_fails_once_arrives_at_the_next_try(world: World, receiver: WebServer) -> None:
    owner = await world.owner()
    made = await hooks.created(world, owner, receiver.url)
    receiver.handler = hooks.answering(503)
    sent = await hooks.tested(world, owner, made.endpoint.id)
    await hooks.attempted(world, owner, sent.id, 1)
    assert (await hooks.endpoint(world, owner, made.endpoint.id)).HasField("failing_time")
    receiver.handler = web.well
    hooks.later(world, timedelta(seconds=6))
    found = await hooks.attempted(world, owner, sent.id, 2)
    assert [each.status for each in found.attempts] == [503, 200]
    assert found.state == DELIVERED
    assert not (await hooks.endpoint(world, owner, made.endpoint.id)).HasField("failing_time")


async def test_a_redirect_is_a_failure(world: World, receiver: WebServer) -> None:
    owner = await world.owner()

    async def redirecting(request: Request) -> Response:
        return Response(302, headers={"location": f"http://127.0.0.1:{receiver.port}/inside"})

    receiver.handler = redirecting
    made = await hooks.created(world, owner, receiver.url)
    sent = await hooks.tested(world, owner, made.endpoint.id)
    found = await hooks.attempted(world, owner, sent.id, 1)
    assert (found.state, found.last_status, len(receiver.requests)) == (PENDING, 302, 1)


async def test_an_endpoint_that_is_down_is_on_record_with_its_reason(world: World) -> None:
    owner = await world.owner()
    made = await hooks.created(world, owner, "http://127.0.0.1:1/")
    sent = await hooks.tested(world, owner, made.endpoint.id)
    found = await hooks.attempted(world, owner, sent.id, 1)
    assert (found.attempts[0].status, found.attempts[0].failure) == (0, "CONNECT")


async def test_an_endpoint_that_fails_for_days_is_disabled_and_its_owners_are_told(
    world: World, receiver: WebServer
) -> None:
    owner = await world.owner()
    made = await hooks.created(world, owner, receiver.url, description="our archive")
    receiver.handler = hooks.answering(500)
    first = await hooks.tested(world, owner, made.endpoint.id)
    await hooks.attempted(world, owner, first.id, 1)
    hooks.later(world, 5 * _DAY)
    await hooks.attempted(world, owner, first.id, 2)
    found = await hooks.endpoint(world, owner, made.endpoint.id)
    assert (found.state, found.disable_reason) == (
        pb.WebhookEndpoint.STATE_DISABLED,
        pb.WebhookEndpoint.DISABLE_REASON_FAILING,
    )
    (mail,) = await world.mailed(owner)
    assert mail.template == "webhook_disabled"
    assert mail.values["description"] == "our archive"
    assert "webhook_endpoint.disabled" in await world.subjects(owner)


async def test_an_endpoint_that_is_gone_is_disabled_at_once(world: World, receiver: WebServer) -> None:
    owner = await world.owner()
    made = await hooks.created(world, owner, receiver.url)
    receiver.handler = hooks.answering(410)
    sent = await hooks.tested(world, owner, made.endpoint.id)
    await hooks.attempted(world, owner, sent.id, 1)
    found = await hooks.endpoint(world, owner, made.endpoint.id)
    assert found.disable_reason == pb.WebhookEndpoint.DISABLE_REASON_GONE


async def test_a_disabled_endpoint_is_sent_nothing_until_it_is_enabled(
    world: World, receiver: WebServer
) -> None:
    owner = await world.owner()
    made = await hooks.created(world, owner, receiver.url)
    receiver.handler = hooks.answering(500)
    sent = await hooks.tested(world, owner, made.endpoint.id)
    await hooks.attempted(world, owner, sent.id, 1)
    await hooks.changed(world, owner, "Disable", made.endpoint.id)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await hooks.tested(world, owner, made.endpoint.id)
    assert refusal(refused.value) == (grpc.StatusCode.FAILED_PRECONDITION, "WEBHOOK_DISABLED")
    other = await hooks.created(world, owner, receiver.url)
    receiver.handler = web.well
    hooks.later(world, timedelta(hours=1))
    await hooks.tested(world, owner, other.endpoint.id)
    await hooks.settled(world, owner, other.endpoint.id, DELIVERED)
    assert len(await hooks.attempts(world, owner, sent.id)) == 1
    await hooks.changed(world, owner, "Enable", made.endpoint.id)
    await hooks.attempted(world, owner, sent.id, 2)
