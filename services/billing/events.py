"""The events that billing publishes."""

from __future__ import annotations

from chassis import decimals
from chassis.events.envelope import Event
from services.billing.usages import RatedUsage
from wrtn.billing.v1.events_pb2 import UsageRated
from wrtn.sessions.v1.events_pb2 import UsageRecorded


def usage_rated(recorded: Event[UsageRecorded], usage: RatedUsage) -> UsageRated:
    """Builds the event that tells the cost of a usage, with the attribution as it came."""
    message = recorded.message
    return UsageRated(
        history_id=message.history_id,
        model=message.model,
        cost=decimals.text(usage.cost),
        currency=usage.currency,
        price_id=str(usage.price_id) if usage.price_id is not None else "",
        attribution=message.attribution,
        use_time=message.use_time,
    )
