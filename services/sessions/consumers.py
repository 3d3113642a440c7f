"""What sessions does when identity or billing tells of something."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from uuid import UUID

from chassis.database import Transaction
from chassis.events.consumer import Consumer
from chassis.events.envelope import Event
from services.sessions.store import PlanRetentions, Sessions
from wrtn.billing.v1.events_pb2 import SubscriptionChanged
from wrtn.identity.v1.events_pb2 import AccountTransferred


def transfers() -> Consumer:
    """Answers the consumer of transfers of accounts."""
    return Consumer("account-transfers", "identity", {AccountTransferred: transferred})


def plans() -> Consumer:
    """Answers the consumer of subscriptions to plans."""
    return Consumer("plan-retentions", "billing", {SubscriptionChanged: subscribed})


async def transferred(tx: Transaction, events: Sequence[Event[AccountTransferred]]) -> None:
    """Takes the sessions of each account off their teams: those were teams of the holder before.

    What the new holder has opened since is on a team of theirs, and stays.
    """
    for event in events:
        store = Sessions(tx, UUID(event.message.tenant_id))
        await store.leave_teams(UUID(event.message.account_id), event.time)


async def subscribed(tx: Transaction, events: Sequence[Event[SubscriptionChanged]]) -> None:
    """Notes for how long the plan of each enterprise lets sessions be kept."""
    for event in events:
        if event.tenant_id is not None:
            days, start = event.message.limits.retention_days, event.message.start_time.ToDatetime(UTC)
            await PlanRetentions(tx, event.tenant_id).note(days, start, event.version)
