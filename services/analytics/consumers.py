"""What analytics does with the events of others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from chassis.database import Transaction, arrays
from chassis.events.consumer import Consumer
from chassis.events.envelope import Event
from services.analytics.counting import CLAIM, COUNT
from services.analytics.facts import Fact, Source, of_rated, of_recorded, once_each
from wrtn.billing.v1.events_pb2 import UsageRated
from wrtn.identity.v1.events_pb2 import AccountTransferred
from wrtn.sessions.v1.events_pb2 import UsageRecorded


async def count_recorded(tx: Transaction, events: Sequence[Event[UsageRecorded]]) -> None:
    """Adds the tokens of usages to the rollups."""
    await _count(tx, Source.RECORDED, map(of_recorded, events))


async def count_rated(tx: Transaction, events: Sequence[Event[UsageRated]]) -> None:
    """Adds the costs of usages to the rollups."""
    await _count(tx, Source.RATED, map(of_rated, events))


async def claim(tx: Transaction, events: Sequence[Event[AccountTransferred]]) -> None:
    """Gives the old holders of personal accounts what was counted before holders were.

    What is counted now names its holder: there it changes nothing.
    """
    holders = [(UUID(event.message.account_id), UUID(event.message.old_holder_member_id)) for event in events]
    await (await tx.driver()).execute(CLAIM, arrays.by_column(("account_id", "member_id"), holders))


async def _count(tx: Transaction, source: Source, facts: Iterable[Fact]) -> None:
    values: dict[str, object] = {**arrays.by_column(Fact._fields, once_each(facts))}
    await (await tx.driver()).execute(COUNT, values | {"source": int(source)})


CONSUMERS = (
    Consumer("recorded-usages", "sessions", {UsageRecorded: count_recorded}),
    Consumer("rated-usages", "billing", {UsageRated: count_rated}),
    Consumer("account-transfers", "identity", {AccountTransferred: claim}),
)
