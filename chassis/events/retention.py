"""How long events and the memory of them are kept. The service runs these as leased jobs."""

from __future__ import annotations

from datetime import timedelta

from chassis.database.engine import Database
from chassis.events.streams import KEEP
from chassis.scope import Scope

# The inbox remembers longer than any outbox or stream could deliver.
REMEMBER = KEEP + timedelta(days=7)
_CHUNK = 10_000


async def purge_outbox(worker: Database, keep: timedelta = KEEP) -> int:
    """Deletes sent rows older than `keep`, in chunks. Answers how many."""
    return await _purge(
        worker,
        """DELETE FROM wrtn_outbox WHERE id IN (
               SELECT id FROM wrtn_outbox
               WHERE create_time < now() - %s AND sent_time IS NOT NULL LIMIT %s)""",
        keep,
    )


async def purge_inbox(worker: Database, keep: timedelta = REMEMBER) -> int:
    """Deletes inbox rows older than `keep`, in chunks. Answers how many."""
    return await _purge(
        worker,
        """DELETE FROM wrtn_inbox WHERE (consumer, event_id) IN (
               SELECT consumer, event_id FROM wrtn_inbox WHERE receive_time < now() - %s LIMIT %s)""",
        keep,
    )


async def _purge(worker: Database, statement: str, keep: timedelta) -> int:
    total = 0
    while True:
        async with worker.transaction(Scope()) as tx:
            cursor = await (await tx.driver()).execute(statement, (keep, _CHUNK))
        total += cursor.rowcount
        if cursor.rowcount < _CHUNK:
            return total
