"""The queries on the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select

from chassis.database import Snapshot, Transaction, arrays
from services.billing import models
from services.billing.pricing.price_source import CURRENCY

_OPEN = """
INSERT INTO wrtn_ledgers (tenant_id, currency, last_sequence) VALUES (%(tenant)s, %(currency)s, 0)
ON CONFLICT DO NOTHING
"""
_LOCK = "SELECT currency FROM wrtn_ledgers WHERE tenant_id = %(tenant)s FOR UPDATE"

# A statement of its own, behind the lock: only so it sees the last sequence and balances as they are.
# Times never go back along the sequence, so that what was before a moment is also what was entered before.
_POST = """
WITH posted AS (
    INSERT INTO wrtn_postings (tenant_id, id, kind, reference, digest, create_time)
    SELECT tenant_id, %(id)s, %(kind)s, %(reference)s, %(digest)s, greatest(last_time, %(now)s)
    FROM wrtn_ledgers WHERE tenant_id = %(tenant)s AND currency = %(currency)s
    ON CONFLICT (tenant_id, reference) DO NOTHING
    RETURNING id, create_time
),
lines AS (
    SELECT line.*, posted.id AS posting_id, posted.create_time
    FROM posted, unnest(%(entry_id)s::uuid[], %(ledger_account)s::text[], %(amount)s::numeric[])
        WITH ORDINALITY AS line (id, ledger_account, amount, place)
),
ledger AS (
    UPDATE wrtn_ledgers AS kept
    SET last_sequence = last_sequence + (SELECT count(*) FROM lines), last_time = posted.create_time
    FROM posted WHERE kept.tenant_id = %(tenant)s
    RETURNING last_sequence - (SELECT count(*) FROM lines) AS before
),
balances AS (
    INSERT INTO wrtn_ledger_balances AS kept (tenant_id, ledger_account, balance)
    SELECT %(tenant)s, ledger_account, amount FROM lines
    ON CONFLICT (tenant_id, ledger_account) DO UPDATE SET balance = kept.balance + excluded.balance
    RETURNING ledger_account, balance
)
INSERT INTO wrtn_ledger_entries (tenant_id, id, posting_id, sequence, ledger_account, amount, balance,
                                 currency, create_time)
SELECT %(tenant)s, lines.id, posting_id, before + place, ledger_account, amount, balance, %(currency)s,
       create_time
FROM lines JOIN balances USING (ledger_account) CROSS JOIN ledger
"""
_FIND = "SELECT id, digest FROM wrtn_postings WHERE tenant_id = %(tenant)s AND reference = %(reference)s"


class Posting(NamedTuple):
    """What stands above the entries of a posting."""

    id: UUID
    kind: str
    reference: str
    digest: bytes


class Kept(NamedTuple):
    """The currency of the ledger, and the posting that has the reference now."""

    currency: str
    id: UUID | None
    digest: bytes | None


class Ledgers:
    """A tenant's ledger, to write into."""

    def __init__(self, tx: Transaction, tenant_id: UUID) -> None:
        self._tx = tx
        self._tenant_id = tenant_id

    async def lock(self, currency: str) -> None:
        """Lets nobody else enter anything until the commit."""
        driver, values = await self._tx.driver(), {"tenant": self._tenant_id, "currency": currency}
        await driver.execute(_OPEN, values)
        await driver.execute(_LOCK, values)

    async def post(self, currency: str, posting: Posting, lines: Sequence[tuple[str, Decimal]]) -> Kept:
        """Enters the lines, unless the reference is taken or the ledger is kept in another currency."""
        rows = [(self._tx.clock.new_id(), *line) for line in lines]
        columns = arrays.by_column(("entry_id", "ledger_account", "amount"), rows)
        whose = {"tenant": self._tenant_id, "currency": currency, "now": self._tx.now}
        values = whose | posting._asdict() | columns
        driver = await self._tx.driver()
        async with driver.pipeline():
            await driver.execute(_OPEN, values)
            locked = await driver.execute(_LOCK, values)
            await driver.execute(_POST, values)
            found = await driver.execute(_FIND, values)
        (kept,) = await locked.fetchone() or (currency,)
        return Kept(kept, *(await found.fetchone() or (None, None)))


class LedgerEntries:
    """A tenant's ledger."""

    def __init__(self, snapshot: Snapshot, tenant_id: UUID) -> None:
        self._snapshot = snapshot
        self._tenant_id = tenant_id

    async def page(self, after: int, size: int) -> Sequence[models.LedgerEntry]:
        """Answers the entries after this sequence, in their order."""
        entry = models.LedgerEntry
        query = select(entry).where(entry.tenant_id == self._tenant_id, entry.sequence > after)
        return (await self._snapshot.session.scalars(query.order_by(entry.sequence).limit(size))).all()

    async def currency(self) -> str:
        """Answers the currency of the tenant: of its ledger, before its first entry of the enterprise."""
        for table in (models.Ledger, models.KnownCurrency):
            query = select(table.currency).where(table.tenant_id == self._tenant_id)
            if found := await self._snapshot.session.scalar(query):
                return found
        return CURRENCY
