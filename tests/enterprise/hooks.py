"""What the tests of webhooks do again and again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from chassis import timestamps
from chassis.database import Scope
from chassis.testing.clocks import MovableClock
from chassis.testing.waiting import until
from chassis.testing.web import Handler, Request, Response, WebServer
from tests.enterprise.make import Worker, World
from wrtn.enterprise.v1 import webhooks_pb2 as pb

State = pb.WebhookDelivery.State
DELIVERED, FAILED = pb.WebhookDelivery.STATE_DELIVERED, pb.WebhookDelivery.STATE_FAILED
PENDING, SKIPPED = pb.WebhookDelivery.STATE_PENDING, pb.WebhookDelivery.STATE_SKIPPED


async def created(
    world: World, by: Worker, url: str, *event_types: str, description: str = "ours"
) -> pb.CreateWebhookEndpointResponse:
    """Creates an endpoint."""
    wanted = pb.WebhookEndpoint(url=url, event_types=event_types, description=description)
    request = pb.CreateWebhookEndpointRequest(enterprise_id=by.enterprise_id, endpoint=wanted)
    return await world.webhooks.CreateWebhookEndpoint(request, metadata=world.renewed(by).metadata)


async def endpoint(world: World, by: Worker, endpoint_id: str) -> pb.WebhookEndpoint:
    """Answers the endpoint."""
    request = pb.GetWebhookEndpointRequest(enterprise_id=by.enterprise_id, endpoint_id=endpoint_id)
    return await world.webhooks.GetWebhookEndpoint(request, metadata=world.renewed(by).metadata)


async def deliveries(
    world: World, by: Worker, endpoint_id: str, state: State.ValueType = pb.WebhookDelivery.STATE_UNSPECIFIED
) -> list[pb.WebhookDelivery]:
    """Answers the deliveries, the oldest first."""
    request = pb.ListWebhookDeliveriesRequest(
        enterprise_id=by.enterprise_id, endpoint_id=endpoint_id, state=state, page_size=200
    )
    found = await world.webhooks.ListWebhookDeliveries(request, metadata=world.renewed(by).metadata)
    return list(reversed(found.deliveries))


async def attempts(world: World, by: Worker, delivery_id: str) -> Sequence[pb.WebhookAttempt]:
    """Answers the attempts of a delivery."""
    request = pb.GetWebhookDeliveryRequest(enterprise_id=by.enterprise_id, delivery_id=delivery_id)
    found = await world.webhooks.GetWebhookDelivery(request, metadata=world.renewed(by).metadata)
    return found.attempts


async def settled(
    world: World, by: Worker, endpoint_id: str, *states: State.ValueType
) -> list[pb.WebhookDelivery]:
    """Waits until the deliveries stand so; answers them."""

    async def stand() -> list[pb.WebhookDelivery]:
        found = await deliveries(world, by, endpoint_id)
        return found if sorted(each.state for each in found) == sorted(states) else []

    return await until(stand)


async def tested(world: World, by: Worker, endpoint_id: str) -> pb.WebhookDelivery:
    """Sends a test event."""
    request = pb.TestWebhookEndpointRequest(enterprise_id=by.enterprise_id, endpoint_id=endpoint_id)
    return await world.webhooks.TestWebhookEndpoint(request, metadata=world.renewed(by).metadata)


async def attempted(world: World, by: Worker, delivery_id: str, times: int) -> pb.WebhookDelivery:
    """Waits until the delivery was tried so often, and none is under way."""

    async def tried() -> pb.WebhookDelivery | None:
        request = pb.GetWebhookDeliveryRequest(enterprise_id=by.enterprise_id, delivery_id=delivery_id)
        found = await world.webhooks.GetWebhookDelivery(request, metadata=world.renewed(by).metadata)
        return found if len(found.attempts) == times else None

    found = await until(tried)
    assert found is not None
    return found


async def idle(world: World, by: Worker) -> None:
    """Waits until nothing is under way to the enterprise's endpoints: the next try is timed when one ends."""

    async def rests() -> bool:
        claimed = "SELECT 1 FROM wrtn_webhook_deliveries WHERE claim_time IS NOT NULL"
        return not await executed(world, by, claimed)

    await until(rests)


def later(world: World, ahead: timedelta) -> None:
    """Moves the clock."""
    cast("MovableClock", world.clock).ahead += ahead


def bodies(web: WebServer) -> list[dict[str, Any]]:
    """Answers what the server was sent."""
    return [body(request) for request in web.requests]


def body(request: Request) -> dict[str, Any]:
    """Answers what one request holds."""
    found: dict[str, Any] = json.loads(request.body)
    return found


async def executed(world: World, by: Worker, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Executes a statement in the enterprise, as the app role."""
    async with world.database.app.transaction(Scope.of(UUID(by.enterprise_id))) as tx:
        cursor = await (await tx.driver()).execute(statement.encode(), values)
        return await cursor.fetchall() if cursor.description else []


def moment(world: World, ahead: timedelta = timedelta()) -> Any:
    """Answers a moment on the wire."""
    return timestamps.of(world.clock.now() + ahead)


def answering(status: int, text: bytes = b"") -> Handler:
    """Answers a handler that answers so."""

    async def answer(request: Request) -> Response:
        return Response(status, text)

    return answer


async def changed(world: World, by: Worker, verb: str, endpoint_id: str) -> pb.WebhookEndpoint:
    """Enables or disables the endpoint."""
    kind = getattr(pb, f"{verb}WebhookEndpointRequest")
    call = getattr(world.webhooks, f"{verb}WebhookEndpoint")
    request = kind(enterprise_id=by.enterprise_id, endpoint_id=endpoint_id)
    found: pb.WebhookEndpoint = await call(request, metadata=world.renewed(by).metadata)
    return found


async def replayed(world: World, by: Worker, delivery_id: str) -> pb.WebhookDelivery:
    """Sends the delivery again."""
    request = pb.ReplayWebhookDeliveryRequest(enterprise_id=by.enterprise_id, delivery_id=delivery_id)
    return await world.webhooks.ReplayWebhookDelivery(request, metadata=world.renewed(by).metadata)
