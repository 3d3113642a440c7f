"""The query on usages that wait for their enterprise. For the worker role."""

from __future__ import annotations

from uuid import UUID

from chassis.database.transactions import Driver
from chassis.events.envelope import TENANT
from services.billing.errors import EnterpriseUnknown

_MOST = 1000
_WAITING = """
SELECT event_id FROM wrtn_dead_letters
WHERE consumer = %(consumer)s AND state = 'dead' AND last_error LIKE %(error)s
    AND EXISTS (SELECT FROM wrtn_known_currencies WHERE tenant_id::text = headers ->> %(header)s)
ORDER BY first_time LIMIT %(most)s
"""


async def waiting_for_known_enterprises(driver: Driver, consumer: str) -> list[UUID]:
    """Answers dead letters that failed for an enterprise which is known by now, the oldest first."""
    values = {
        "consumer": consumer,
        "error": f"{EnterpriseUnknown.__name__}:%",
        "header": TENANT,
        "most": _MOST,
    }
    cursor = await driver.execute(_WAITING, values)
    return [row[0] for row in await cursor.fetchall()]
