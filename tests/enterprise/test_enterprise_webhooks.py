"""Webhook endpoints: made, changed, and refused."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis.settings import SettingsError
from chassis.testing.web import WebServer
from services.enterprise.settings import EnterpriseSettings
from services.enterprise.webhooks import webhook_types
from tests.enterprise import hooks
from tests.enterprise.hooks import DELIVERED
from tests.enterprise.make import World, refusal
from wrtn.access.v1.access_pb2 import DUTY_BILLING, DUTY_SECURITY, TITLE_MANAGER
from wrtn.enterprise.v1 import webhooks_pb2 as pb

pytestmark = pytest.mark.usefixtures("restless")


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
        hooks.replayed(world, other, sent.id),
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
