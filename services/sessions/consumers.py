"""What sessions does when identity tells of something."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chassis.database import Transaction
from chassis.events.consumer import Consumer
from chassis.events.envelope import Event
from services.sessions.store import Sessions
from wrtn.identity.v1.events_pb2 import AccountTransferred


def transfers() -> Consumer:
    """Answers the consumer of transfers of accounts."""
    return Consumer("account-transfers", "identity", {AccountTransferred: transferred})


async def transferred(tx: Transaction, events: Sequence[Event[AccountTransferred]]) -> None:
    """Takes the sessions of each account off their teams: those were teams of the holder before.

    What the new holder has opened since is on a team of theirs, and stays.
    """
    for event in events:
        store = Sessions(tx, UUID(event.message.tenant_id))
        await store.leave_teams(UUID(event.message.account_id), event.time)
