"""The queries of a statement: the entries of a wallet between two times. Credits are positive here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from chassis.database import Snapshot
from services.billing.ledger.chart import PostingKind

# Times never go back along the sequence, so the last entry before a moment has the balance at it.
_LAST = """
SELECT sequence, -balance FROM wrtn_ledger_entries
WHERE tenant_id = %s AND ledger_account = 'wallet' AND create_time < %s
ORDER BY create_time DESC, sequence DESC LIMIT 1
"""
_BALANCE = """
SELECT -balance FROM wrtn_ledger_entries
WHERE tenant_id = %s AND ledger_account = 'wallet' AND sequence = %s
"""
_BETWEEN = """
SELECT entry.id, entry.sequence, coalesce(posting.kind, %(usage)s), -entry.amount, -entry.balance,
       entry.create_time
FROM wrtn_ledger_entries AS entry
LEFT JOIN wrtn_postings AS posting ON (posting.tenant_id, posting.id) = (entry.tenant_id, entry.posting_id)
WHERE entry.tenant_id = %(tenant)s AND entry.ledger_account = 'wallet' AND entry.create_time >= %(start)s
    AND entry.sequence > %(after)s AND entry.sequence <= %(through)s
ORDER BY entry.create_time, entry.sequence LIMIT %(size)s
"""


class Entry(NamedTuple):
    """A movement of credits."""

    id: UUID
    sequence: int
    kind: str
    amount: Decimal
    balance: Decimal
    create_time: datetime


class Statements:
    """The entries of a tenant's wallet."""

    def __init__(self, snapshot: Snapshot, tenant_id: UUID) -> None:
        self._snapshot = snapshot
        self._tenant_id = tenant_id

    async def last_before(self, moment: datetime) -> tuple[int, Decimal]:
        """Answers the sequence of the last entry before the moment and its balance; zeros for none."""
        cursor = await (await self._snapshot.driver()).execute(_LAST, (self._tenant_id, moment))
        row = await cursor.fetchone()
        return (row[0], row[1]) if row is not None else (0, Decimal(0))

    async def balance_after(self, sequence: int) -> Decimal:
        """Answers the balance after an entry; zero if there is no such entry of the wallet."""
        cursor = await (await self._snapshot.driver()).execute(_BALANCE, (self._tenant_id, sequence))
        row = await cursor.fetchone()
        return row[0] if row is not None else Decimal(0)

    async def page(self, start: datetime, after: int, through: int, size: int) -> Sequence[Entry]:
        """Answers the entries from `start` on that follow one sequence and do not follow the other."""
        values = {"tenant": self._tenant_id, "start": start, "after": after, "through": through, "size": size}
        driver = await self._snapshot.driver()
        cursor = await driver.execute(_BETWEEN, values | {"usage": PostingKind.USAGE.value})
        return [Entry._make(row) for row in await cursor.fetchall()]
