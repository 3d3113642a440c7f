"""What a service declares to consume events: names, handlers and bounds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from chassis.database.transactions import Transaction
from chassis.events.envelope import Event

# Any, since one mapping holds handlers of different event classes.
Handler = Callable[[Transaction, Sequence[Event[Any]]], Awaitable[None]]


@dataclass(frozen=True)
class Consumer:
    """One durable consumer of one service's events.

    `name` is the inbox's key: unique in the consuming service, and never changed. `source` is the service
    whose stream is read. A handler gets new events of its class, in stream order, in a transaction
    scoped to all their tenants, and takes the effect by it; what it raises rolls the effect back. At most
    `batch` events share a transaction. After `max_failures` completed failures an event is a dead letter;
    before, it is tried again after `retry_delay` seconds, doubled each time.
    """

    name: str
    source: str
    handlers: Mapping[type[Message], Handler]
    batch: int = 500
    max_failures: int = 5
    retry_delay: float = 0.5
