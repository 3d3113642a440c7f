"""The inbox: one row a consumer and event, in the transaction of the effect. It makes effects happen once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

# Ordered, so that two replicas with overlapping batches wait for each other instead of deadlocking.
# An event that is already a dead letter is left to the operator; one that had failed before is cured.
_CLAIM = """
WITH fresh AS (
    INSERT INTO wrtn_inbox (consumer, event_id)
    SELECT %(consumer)s, id FROM unnest(%(ids)s::uuid[]) AS id
    WHERE NOT EXISTS (SELECT FROM wrtn_dead_letters AS letter WHERE letter.consumer = %(consumer)s
                      AND letter.event_id = id AND letter.state <> 'failing')
    ORDER BY id
    ON CONFLICT DO NOTHING
    RETURNING event_id
), cured AS (
    DELETE FROM wrtn_dead_letters AS letter USING fresh
    WHERE letter.consumer = %(consumer)s AND letter.event_id = fresh.event_id AND letter.state = 'failing'
)
SELECT event_id FROM fresh
"""


async def claim(connection: AsyncConnection[Any], consumer: str, ids: Iterable[UUID]) -> set[UUID]:
    """Takes these events for the consumer and answers those that it had not taken before.

    A parallel twin waits until the other transaction ends. Rolling back gives the events back.
    """
    cursor = await connection.execute(_CLAIM, {"consumer": consumer, "ids": list(ids)})
    return {row[0] for row in await cursor.fetchall()}
