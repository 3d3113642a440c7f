"""Webhook endpoints, and what is sent to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import grpc
import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask
from standardwebhooks import Webhook, WebhookVerificationError

from chassis.clock import Clock
from chassis.settings import SettingsError
from chassis.testing import web
from chassis.testing.clocks import MovableClock
from chassis.testing.waiting import until
from chassis.testing.web import Request, Response, WebServer
from services.enterprise.settings import EnterpriseSettings
from services.enterprise.webhooks import settling, webhook_types
from tests.enterprise import hooks
from tests.enterprise.hooks import DELIVERED, FAILED, PENDING
from tests.enterprise.make import Worker, World, refusal
from wrtn.access.v1.access_pb2 import DUTY_BILLING, DUTY_SECURITY, ROLE_CHIEF, ROLE_MEMBER, TITLE_MANAGER
from wrtn.enterprise.v1 import webhooks_pb2 as pb

_DAY = timedelta(days=1)


@pytest.fixture
def clock() -> Clock:
    return MovableClock()


@pytest.fixture(autouse=True)
def restless(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the moved clock makes due is found at once, and not within a second."""
    monkeypatch.setattr("services.enterprise.webhooks.dispatching._IDLE", 0.05)


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[WebServer]:
    """The enterprise's own system."""
    async with web.serving() as serving:
        yield serving


def answering(status: int, text: bytes = b"") -> web.Handler:
    async def answer(request: Request) -> Response:
        return Response(status, text)

    return answer


async def changed(world: World, by: Worker, verb: str, endpoint_id: str) -> pb.WebhookEndpoint:
    kind = getattr(pb, f"{verb}WebhookEndpointRequest")
    call = getattr(world.webhooks, f"{verb}WebhookEndpoint")
    request = kind(enterprise_id=by.enterprise_id, endpoint_id=endpoint_id)
    found: pb.WebhookEndpoint = await call(request, metadata=world.renewed(by).metadata)
    return found


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


async def test_events_of_other_services_are_sent_too() -> None:
    assert set(webhook_types.by_service()) >= {"identity", "enterprise", "sessions", "billing"}
    assert "sessions.usage.recorded" in webhook_types.catalogue()
    assert not [each for each in webhook_types.catalogue() if "login" in each or "audit" in each]


async def test_the_catalogue_is_told(world: World) -> None:
    owner = await world.owner()
    found = await world.webhooks.ListWebhookEventTypes(
        pb.ListWebhookEventTypesRequest(), metadata=owner.metadata
    )
    types = [each.type for each in found.event_types]
    assert types == sorted(webhook_types.catalogue())
    assert "enterprise.employee.hired" in types


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


async def test_a_secret_is_shown_once_and_never_stored_in_plain_text(
    world: World, receiver: WebServer
) -> None:
    owner = await world.owner()
    wanted = pb.WebhookEndpoint(url=f"{receiver.url}?token=canary")
    request = pb.CreateWebhookEndpointRequest(
        enterprise_id=owner.enterprise_id, endpoint=wanted, request_id="once"
    )
    first = await world.webhooks.CreateWebhookEndpoint(request, metadata=owner.metadata)
    again = await world.webhooks.CreateWebhookEndpoint(request, metadata=owner.metadata)
    assert first.secret.startswith("whsec_")
    assert (again.endpoint.id, again.secret) == (first.endpoint.id, "")
    rows = await hooks.executed(
        world, owner, "SELECT url, secret FROM wrtn_webhook_endpoints, wrtn_webhook_secrets"
    )
    assert b"canary" not in rows[0][0]
    assert len(rows) == 1


async def test_a_failure_is_tried_again_for_three_days_then_it_failed(
    world: World, receiver: WebServer
) -> None:
    owner = await world.owner()
    made = await hooks.created(world, owner, receiver.url)
    receiver.handler = answering(500, b"out of order")
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
    receiver.handler = answering(503)
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
    receiver.handler = answering(500)
    first = await hooks.tested(world, owner, made.endpoint.id)
    await hooks.attempted(world, owner, first.id, 1)
    hooks.later(world, 5 * _DAY)
    await hooks.attempted(world, owner, first.id, 2)
    found = await hooks.endpoint(world, owner, made.endpoint.id)
    assert (found.state, found.disable_reason) == (
        pb.WebhookEndpoint.STATE_DISABLED,
        pb.WebhookEndpoint.DISABLE_REASON_FAILING,
    )
    await until(lambda: len(world.identity.mails) == 1)
    (mail,) = world.identity.mails.values()
    assert (mail.template, mail.member_id) == ("webhook_disabled", str(owner.person.member_id))
    assert mail.values["description"] == "our archive"
    assert "webhook_endpoint.disabled" in await world.subjects()


async def test_an_endpoint_that_is_gone_is_disabled_at_once(world: World, receiver: WebServer) -> None:
    owner = await world.owner()
    made = await hooks.created(world, owner, receiver.url)
    receiver.handler = answering(410)
    sent = await hooks.tested(world, owner, made.endpoint.id)
    await hooks.attempted(world, owner, sent.id, 1)
    found = await hooks.endpoint(world, owner, made.endpoint.id)
    assert found.disable_reason == pb.WebhookEndpoint.DISABLE_REASON_GONE


async def test_a_disabled_endpoint_is_sent_nothing_until_it_is_enabled(
    world: World, receiver: WebServer
) -> None:
    owner = await world.owner()
    made = await hooks.created(world, owner, receiver.url)
    receiver.handler = answering(500)
    sent = await hooks.tested(world, owner, made.endpoint.id)
    await hooks.attempted(world, owner, sent.id, 1)
    await changed(world, owner, "Disable", made.endpoint.id)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await hooks.tested(world, owner, made.endpoint.id)
    assert refusal(refused.value) == (grpc.StatusCode.FAILED_PRECONDITION, "WEBHOOK_DISABLED")
    other = await hooks.created(world, owner, receiver.url)
    receiver.handler = web.well
    hooks.later(world, timedelta(hours=1))
    await hooks.tested(world, owner, other.endpoint.id)
    await hooks.settled(world, owner, other.endpoint.id, DELIVERED)
    assert len(await hooks.attempts(world, owner, sent.id)) == 1
    await changed(world, owner, "Enable", made.endpoint.id)
    await hooks.attempted(world, owner, sent.id, 2)


async def test_a_deleted_endpoint_is_gone_with_its_secrets(world: World, receiver: WebServer) -> None:
    owner = await world.owner()
    made = await hooks.created(world, owner, receiver.url)
    request = pb.DeleteWebhookEndpointRequest(enterprise_id=owner.enterprise_id, endpoint_id=made.endpoint.id)
    await world.webhooks.DeleteWebhookEndpoint(request, metadata=owner.metadata)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await hooks.endpoint(world, owner, made.endpoint.id)
    assert refusal(refused.value) == (grpc.StatusCode.NOT_FOUND, "WEBHOOK_NOT_FOUND")
    assert not await hooks.executed(world, owner, "SELECT 1 FROM wrtn_webhook_secrets")
    listed = await world.webhooks.ListWebhookEndpoints(
        pb.ListWebhookEndpointsRequest(enterprise_id=owner.enterprise_id), metadata=owner.metadata
    )
    assert not listed.endpoints


async def test_an_endpoint_is_changed_by_a_mask(world: World, receiver: WebServer) -> None:
    owner = await world.owner()
    made = await hooks.created(world, owner, "http://127.0.0.1:1/")
    wanted = pb.WebhookEndpoint(id=made.endpoint.id, url=receiver.url, event_types=["*"], description="x")
    request = pb.UpdateWebhookEndpointRequest(
        enterprise_id=owner.enterprise_id,
        endpoint=wanted,
        update_mask=FieldMask(paths=["url", "event_types"]),
    )
    found = await world.webhooks.UpdateWebhookEndpoint(request, metadata=owner.metadata)
    assert (found.url, list(found.event_types), found.description) == (receiver.url, ["*"], "ours")
    await hooks.tested(world, owner, made.endpoint.id)
    await hooks.settled(world, owner, made.endpoint.id, DELIVERED)


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


async def test_the_events_of_an_object_come_in_the_order_of_its_versions(
    world: World, receiver: WebServer
) -> None:
    owner = await world.owner()
    worker, team_id = await world.hire(owner), await world.team(owner)
    made = await hooks.created(world, owner, receiver.url, "enterprise.companion.*")
    receiver.handler = answering(500)
    await world.appoint(owner, team_id, worker, ROLE_MEMBER)
    (first,) = await hooks.settled(world, owner, made.endpoint.id, PENDING)
    await hooks.attempted(world, owner, first.id, 1)
    await world.appoint(owner, team_id, worker, ROLE_CHIEF)
    await hooks.settled(world, owner, made.endpoint.id, PENDING, PENDING)
    hooks.later(world, timedelta(seconds=3))
    await hooks.tested(world, owner, made.endpoint.id)
    await until(lambda: len(receiver.requests) == 2)
    assert {each.get("version") for each in hooks.bodies(receiver)} == {1}
    receiver.handler = web.well
    hooks.later(world, timedelta(minutes=6))
    await hooks.settled(world, owner, made.endpoint.id, DELIVERED, DELIVERED, DELIVERED)
    taken = [each for each in hooks.bodies(receiver)[2:] if each["type"] == "enterprise.companion.appointed"]
    assert [each["version"] for each in taken] == [1, 2]


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
    await replayed(world, owner, found[1].id)
    await hooks.settled(world, owner, made.endpoint.id, DELIVERED, DELIVERED, hooks.SKIPPED)
    assert [each["version"] for each in hooks.bodies(receiver)] == [1, 2]


async def replayed(world: World, by: Worker, delivery_id: str) -> pb.WebhookDelivery:
    request = pb.ReplayWebhookDeliveryRequest(enterprise_id=by.enterprise_id, delivery_id=delivery_id)
    return await world.webhooks.ReplayWebhookDelivery(request, metadata=world.renewed(by).metadata)


async def test_one_delivery_is_replayed_under_the_same_event(world: World, receiver: WebServer) -> None:
    owner = await world.owner()
    made = await hooks.created(world, owner, receiver.url)
    await world.team(owner)
    (first,) = await hooks.settled(world, owner, made.endpoint.id, DELIVERED)
    again = await replayed(world, owner, first.id)
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
    await changed(world, owner, "Disable", made.endpoint.id)
    missed = await world.team(owner)

    async def kept() -> list[tuple[object, ...]]:
        query = "SELECT 1 FROM wrtn_webhook_events WHERE object_id = %s"
        return await hooks.executed(world, owner, query, missed)

    await until(kept)
    await changed(world, owner, "Enable", made.endpoint.id)
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


async def test_types_that_match_nothing_and_urls_that_may_not_be_asked_are_refused(world: World) -> None:
    owner = await world.owner()
    for event_type in ("enterprise.nothing", "nowhere.*", "identity.login.ended"):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await hooks.created(world, owner, "http://127.0.0.1:1/", event_type)
        assert refusal(refused.value) == (grpc.StatusCode.INVALID_ARGUMENT, "EVENT_TYPE_UNKNOWN")
    for url in ("ftp://example.com/", "https://a:b@example.com/", "example.com", ""):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await hooks.created(world, owner, url)
        assert refusal(refused.value) == (grpc.StatusCode.INVALID_ARGUMENT, "WEBHOOK_URL_REFUSED")


async def test_endpoints_are_for_owners_and_managers_with_the_duty_of_security(world: World) -> None:
    owner = await world.owner()
    manager = await world.hire(owner, TITLE_MANAGER)
    await world.entrust(owner, manager, DUTY_BILLING)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await hooks.created(world, manager, "http://127.0.0.1:1/")
    assert refusal(refused.value) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_ADMITTED")
    await world.entrust(owner, manager, DUTY_SECURITY)
    await hooks.created(world, manager, "http://127.0.0.1:1/")


async def test_a_foreign_endpoint_is_not_found(world: World) -> None:
    owner, other = await world.owner(), await world.owner()
    made = await hooks.created(world, owner, "http://127.0.0.1:1/")
    sent = await hooks.tested(world, owner, made.endpoint.id)
    for act in (
        hooks.endpoint(world, other, made.endpoint.id),
        hooks.deliveries(world, other, made.endpoint.id),
        hooks.attempts(world, other, sent.id),
        replayed(world, other, sent.id),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await act
        assert refused.value.code() == grpc.StatusCode.NOT_FOUND


async def test_an_enterprise_has_twenty_endpoints_at_most(world: World) -> None:
    owner = await world.owner()
    for _ in range(20):
        await hooks.created(world, owner, "http://127.0.0.1:1/")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await hooks.created(world, owner, "http://127.0.0.1:1/")
    assert refusal(refused.value) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_WEBHOOKS")


def test_production_opens_its_inside_to_nobody(world_settings: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        EnterpriseSettings(**world_settings, production=True, webhooks_inside=True)  # type: ignore[arg-type]


@pytest.fixture
def world_settings() -> dict[str, object]:
    names = (
        "grpc_address metrics_address database_url database_worker_url nats_url key_file peer_key_file"
        " peer_keys_dir identity_address enterprise_address"
    )
    return dict.fromkeys(names.split(), "x")
