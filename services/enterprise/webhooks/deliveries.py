"""What is delivered to webhook endpoints: queued by events, by tests and by replays."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from chassis import timestamps
from chassis.database import Snapshot, Transaction
from chassis.events.envelope import Event
from services.enterprise.errors import DeliveryNotFound, ReplayTooLarge, WebhookDisabled
from services.enterprise.models import (
    DeliveryState,
    EndpointState,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from services.enterprise.store import Deliveries, add_deliveries, add_events, endpoints_of
from services.enterprise.webhooks import webhook_types, webhooks

MOST_REPLAYED = 10_000
_GRACE = timedelta(seconds=1)
"""How long what is not the first version of its object waits for an earlier one that may be on its way."""


async def queue(tx: Transaction, events: Sequence[Event[Any]]) -> None:
    """Queues each event for the endpoints of its tenant that ask for it, and keeps it for replays.

    Most tenants have no endpoint: one query tells. An endpoint gets nothing that happened before it was.
    """
    tenants = {event.tenant_id for event in events if event.tenant_id is not None}
    known: dict[UUID, list[WebhookEndpoint]] = defaultdict(list)
    for endpoint in await endpoints_of(tx, tenants):
        known[endpoint.tenant_id].append(endpoint)
    kept: list[WebhookEvent] = []
    queued: list[WebhookDelivery] = []
    for event in events:
        event_type = webhook_types.type_of(type(event.message))
        asking = [
            each
            for each in known.get(event.tenant_id or UUID(int=0), ())
            if event.time >= each.create_time and webhook_types.matches(each.event_types, event_type)
        ]
        if not asking:
            continue
        row = _kept(tx, event, event_type)
        kept.append(row)
        due = tx.now + (_GRACE if event.version > 1 else timedelta())
        queued += [_delivery(tx, row, each, due) for each in asking if each.state == EndpointState.ENABLED]
    await add_events(tx, kept)
    await add_deliveries(tx, queued)


async def send_test(tx: Transaction, tenant_id: UUID, endpoint_id: UUID) -> WebhookDelivery:
    """Queues a test event; raises WebhookNotFound and WebhookDisabled."""
    endpoint = await _enabled(tx, tenant_id, endpoint_id)
    event_id = tx.clock.new_id()
    body = _body(event_id, webhook_types.TEST, tx.now, tenant_id, endpoint_id, 1, {})
    event = WebhookEvent(
        tenant_id=tenant_id,
        id=event_id,
        type=webhook_types.TEST,
        # An object of its own: a test waits for nothing.
        object_id=event_id,
        version=1,
        body=body,
        event_time=tx.now,
        create_time=tx.now,
    )
    await add_events(tx, [event])
    row = _delivery(tx, event, endpoint, tx.now)
    await add_deliveries(tx, [row])
    return row


async def get(tx: Snapshot, tenant_id: UUID, delivery_id: UUID) -> WebhookDelivery:
    """Answers the delivery; raises DeliveryNotFound."""
    row = await Deliveries(tx, tenant_id).get(delivery_id)
    if row is None:
        raise DeliveryNotFound("The webhook delivery does not exist.", field="delivery_id")
    return row


async def replay_one(tx: Transaction, tenant_id: UUID, delivery_id: UUID) -> WebhookDelivery:
    """Queues a delivery's event once more; raises DeliveryNotFound, WebhookNotFound and WebhookDisabled."""
    old = await get(tx, tenant_id, delivery_id)
    endpoint = await _enabled(tx, tenant_id, old.endpoint_id)
    event = await Deliveries(tx, tenant_id).event(old.event_id)
    if event is None:
        raise DeliveryNotFound("The event is no longer kept.", field="delivery_id")
    row = _delivery(tx, event, endpoint, tx.now, replay=True)
    await add_deliveries(tx, [row])
    tx.audit("webhook_delivery.replayed", tenant_id=tenant_id, target_id=delivery_id)
    return row


async def replay_range(
    tx: Transaction, tenant_id: UUID, endpoint_id: UUID, start: datetime, end: datetime
) -> int:
    """Queues the events of the range that the endpoint asks for; answers how many.

    Raises WebhookNotFound, WebhookDisabled and ReplayTooLarge.
    """
    endpoint = await _enabled(tx, tenant_id, endpoint_id)
    events = await Deliveries(tx, tenant_id).events(start, end, MOST_REPLAYED + 1)
    if len(events) > MOST_REPLAYED:
        raise ReplayTooLarge(f"The range has more than {MOST_REPLAYED} events.", field="end_time")
    rows = [
        _delivery(tx, event, endpoint, tx.now, replay=True)
        for event in events
        if event.type != webhook_types.TEST and webhook_types.matches(endpoint.event_types, event.type)
    ]
    await add_deliveries(tx, rows)
    tx.audit("webhook_events.replayed", tenant_id=tenant_id, target_id=endpoint_id, count=len(rows))
    return len(rows)


async def _enabled(tx: Snapshot, tenant_id: UUID, endpoint_id: UUID) -> WebhookEndpoint:
    endpoint = await webhooks.get(tx, tenant_id, endpoint_id)
    if endpoint.state != EndpointState.ENABLED:
        raise WebhookDisabled("The webhook endpoint is disabled: enable it first.", field="endpoint_id")
    return endpoint


def _kept(tx: Transaction, event: Event[Message], event_type: str) -> WebhookEvent:
    tenant_id = event.tenant_id or UUID(int=0)
    data = MessageToDict(event.message)
    return WebhookEvent(
        tenant_id=tenant_id,
        id=event.id,
        type=event_type,
        object_id=event.aggregate_id,
        version=event.version,
        body=_body(event.id, event_type, event.time, tenant_id, event.aggregate_id, event.version, data),
        event_time=event.time,
        create_time=tx.now,
    )


def _body(
    event_id: UUID,
    event_type: str,
    time: datetime,
    tenant_id: UUID,
    object_id: UUID,
    version: int,
    data: dict[str, Any],
) -> bytes:
    """Answers the event as it is sent: CloudEvents names, the facts in ProtoJSON."""
    found = {
        "id": str(event_id),
        "type": event_type,
        "time": timestamps.of(time).ToJsonString(),
        "tenant": str(tenant_id),
        "subject": str(object_id),
        "version": version,
        "data": data,
    }
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()


def _delivery(
    tx: Transaction, event: WebhookEvent, endpoint: WebhookEndpoint, due: datetime, *, replay: bool = False
) -> WebhookDelivery:
    return WebhookDelivery(
        tenant_id=event.tenant_id,
        id=tx.clock.new_id(),
        endpoint_id=endpoint.id,
        event_id=event.id,
        event_type=event.type,
        object_id=event.object_id,
        version=event.version,
        replay=replay,
        state=DeliveryState.PENDING,
        attempts=0,
        due_time=due,
        create_time=tx.now,
    )
