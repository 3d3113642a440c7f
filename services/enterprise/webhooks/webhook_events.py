"""What webhooks are told of: events of every service, our own among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chassis.database import Transaction
from chassis.events.consumer import Consumer
from chassis.events.envelope import Event
from services.enterprise.webhooks import deliveries, webhook_types
from services.enterprise.webhooks.dispatching import Dispatcher


class Webhooks:
    """Queues events for the webhooks of the enterprises that they happened in."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    def consumers(self) -> list[Consumer]:
        """Answers a consumer of each stream with events that webhooks carry, our own among them."""
        return [
            Consumer(f"webhooks-{service}", service, dict.fromkeys(kinds, self.happened))
            for service, kinds in webhook_types.by_service().items()
        ]

    async def happened(self, tx: Transaction, events: Sequence[Event[Any]]) -> None:
        """Queues the events."""
        await deliveries.queue(tx, events)
        tx.after_commit(self._dispatcher.queued.set)
