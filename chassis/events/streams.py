"""Names and settings of JetStream streams and durable consumers."""

from __future__ import annotations

from datetime import timedelta

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
    StreamInfo,
)
from nats.js.errors import NotFoundError

# Outboxes keep as long: what a stream has dropped for age, no outbox would resend either.
KEEP = timedelta(days=30)
# A publish whose answer was lost is repeated well within this; a resend takes a new message id.
DUPLICATE_WINDOW = timedelta(minutes=3)
# A delivery that is not acknowledged in this time is made again: what a killed process had in hand.
ACK_WAIT = timedelta(seconds=10)
# Above it the server stops delivering; events that wait for their retry count too.
MAX_ACK_PENDING = 20_000


def stream_of(service: str) -> str:
    """Answers the name of the stream that holds a service's events."""
    return f"WRTN_{service.upper()}"


async def ensure_stream(jetstream: JetStreamContext, service: str, replicas: int = 1) -> StreamInfo:
    """Answers the service's stream, created if it does not exist."""
    try:
        return await jetstream.stream_info(stream_of(service))
    except NotFoundError:
        return await jetstream.add_stream(
            StreamConfig(
                name=stream_of(service),
                subjects=[f"wrtn.{service}.v1.>"],
                storage=StorageType.FILE,
                retention=RetentionPolicy.LIMITS,
                discard=DiscardPolicy.OLD,
                max_age=KEEP.total_seconds(),
                duplicate_window=DUPLICATE_WINDOW.total_seconds(),
                num_replicas=replicas,
            )
        )


async def ensure_durable(
    jetstream: JetStreamContext, source: str, durable: str, subjects: list[str], batch: int
) -> None:
    """Creates or updates the durable pull consumer. Raises NotFoundError if there is no stream yet."""
    await jetstream.add_consumer(
        stream_of(source),
        ConsumerConfig(
            durable_name=durable,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT.total_seconds(),
            max_deliver=-1,
            filter_subjects=sorted(subjects),
            max_ack_pending=max(MAX_ACK_PENDING, 4 * batch),
        ),
    )
