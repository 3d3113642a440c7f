"""Webhook endpoints and what was delivered to them, as messages. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from google.protobuf.message import Message

from chassis import timestamps
from services.enterprise import models
from services.enterprise.convert import fields
from wrtn.enterprise.v1 import webhooks_pb2 as pb


def endpoint(row: models.WebhookEndpoint, url: str) -> pb.WebhookEndpoint:
    """Answers the endpoint with its URL."""
    reason = pb.WebhookEndpoint.DISABLE_REASON_UNSPECIFIED
    if row.disable_reason:
        reason = pb.WebhookEndpoint.DisableReason.Value(f"DISABLE_REASON_{row.disable_reason}")
    return pb.WebhookEndpoint(
        id=str(row.id),
        enterprise_id=str(row.tenant_id),
        url=url,
        description=row.description,
        event_types=row.event_types,
        state=pb.WebhookEndpoint.State.Value(f"STATE_{row.state}"),
        disable_reason=reason,
        failing_time=fields.moment(row.failing_time),
        create_time=timestamps.of(row.create_time),
    )


def delivery(row: models.WebhookDelivery, attempts: Sequence[pb.WebhookAttempt] = ()) -> pb.WebhookDelivery:
    """Answers the delivery, with the attempts that are given."""
    return pb.WebhookDelivery(
        id=str(row.id),
        endpoint_id=str(row.endpoint_id),
        event_id=str(row.event_id),
        event_type=row.event_type,
        object_id=str(row.object_id),
        version=row.version,
        replay=row.replay,
        state=pb.WebhookDelivery.State.Value(f"STATE_{row.state}"),
        attempt_count=row.attempts,
        last_status=row.last_status or 0,
        next_attempt_time=fields.moment(row.due_time),
        create_time=timestamps.of(row.create_time),
        attempts=attempts,
    )


def attempt(row: models.WebhookAttempt, excerpt: str) -> pb.WebhookAttempt:
    """Answers the attempt with the beginning of what came back."""
    return pb.WebhookAttempt(
        number=row.number,
        status=row.status or 0,
        failure=row.failure or "",
        excerpt=excerpt,
        milliseconds=row.milliseconds,
        attempt_time=timestamps.of(row.attempt_time),
    )


def event_types(catalogue: Mapping[str, type[Message]]) -> list[pb.WebhookEventType]:
    """Answers the catalogue."""
    return [
        pb.WebhookEventType(type=name, message=kind.DESCRIPTOR.full_name) for name, kind in catalogue.items()
    ]
