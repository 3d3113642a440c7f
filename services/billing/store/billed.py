"""The queries on what of usage and credits an invoice is about.

A usage is invoiced at its use time, or, if its period was closed when it came, at the end of what was closed:
that is where the next period begins. What corrects it is invoiced with it, unless its invoice was finalised
before: then an increase is a line of its own, on the invoice of that next period.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot, Transaction
from services.billing.ledger.chart import WALLET, PostingKind
from services.billing.models import Closing, Ledger, SubscriptionPhase, Usage
from services.billing.periods import BEGINNING, Span

BILLED = """(
    SELECT used.*, use_time AS bill_time FROM wrtn_usages AS used
    WHERE tenant_id = %(tenant)s AND use_time >= %(start)s AND use_time < %(end)s AND NOT EXISTS (
        SELECT FROM wrtn_late_usages AS late
        WHERE late.tenant_id = used.tenant_id AND late.history_id = used.history_id)
    UNION ALL
    SELECT used.*, late.bill_time
    FROM wrtn_late_usages AS late JOIN wrtn_usages AS used USING (tenant_id, history_id)
    WHERE late.tenant_id = %(tenant)s AND late.bill_time >= %(start)s AND late.bill_time < %(end)s
) AS billed"""
"""The usages of an invoice from `start` to `end`."""

IN_TIME = """NOT EXISTS (
    SELECT FROM wrtn_late_corrections AS late WHERE (late.tenant_id, late.history_id, late.correction_id)
        = (entry.tenant_id, entry.history_id, entry.correction_id))"""
"""Of `entry`, those that are invoiced with their usage."""

_PLACES = 18
"""After the point: with so many a share of a charge is rounded."""

_CORRECTED = f"""{BILLED} LEFT JOIN (
    SELECT history_id, sum(charge) AS difference FROM wrtn_usage_corrections AS entry
    WHERE tenant_id = %(tenant)s AND {IN_TIME} GROUP BY history_id
) AS entry USING (history_id)"""  # noqa: S608
_CHARGE = "charge + coalesce(difference, 0)"

_SUMS = f"""
SELECT team_id, model, count(*), sum({_CHARGE}) FROM {_CORRECTED}
GROUP BY team_id, model ORDER BY team_id NULLS FIRST, model
"""  # noqa: S608

# By time alone, whatever came first: of the usage in which the tokens run out the share of what was left.
_COVERED = f"""
SELECT coalesce(sum(covered), 0)::bigint, coalesce(sum(
    CASE covered WHEN tokens THEN charge ELSE trim_scale(round(charge * covered / tokens, {_PLACES})) END), 0)
FROM (
    SELECT charge, tokens, least(tokens, %(tokens)s - coalesce(sum(tokens) OVER before, 0)) AS covered
    FROM (SELECT history_id, use_time, bill_time, {_CHARGE} AS charge, input_tokens + output_tokens AS tokens
        FROM {_CORRECTED}) AS counted
    WHERE tokens > 0 AND EXISTS (
        SELECT FROM unnest(%(span_starts)s::timestamptz[], %(span_ends)s::timestamptz[])
            AS span (start_time, end_time)
        WHERE bill_time >= span.start_time AND bill_time < span.end_time)
    WINDOW before AS (ORDER BY bill_time, use_time, history_id
                      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
) AS used WHERE covered > 0
"""  # noqa: S608

_INCREASES = """
SELECT invoice.id, invoice.number, team_id, model, count(*), sum(entry.charge)
FROM wrtn_late_corrections AS late JOIN wrtn_usage_corrections AS entry
    USING (tenant_id, history_id, correction_id)
JOIN wrtn_usages AS used USING (tenant_id, history_id)
JOIN wrtn_invoices AS invoice ON (invoice.tenant_id, invoice.id) = (late.tenant_id, late.invoice_id)
WHERE late.tenant_id = %(tenant)s AND late.bill_time >= %(start)s AND late.bill_time < %(end)s
GROUP BY invoice.id, invoice.number, team_id, model ORDER BY invoice.number, team_id NULLS FIRST, model
"""

_BURNT = f"""
SELECT coalesce(sum(entry.amount), 0)
FROM wrtn_ledger_entries AS entry
LEFT JOIN wrtn_postings AS posting ON (posting.tenant_id, posting.id) = (entry.tenant_id, entry.posting_id)
WHERE entry.tenant_id = %(tenant)s AND entry.sequence > %(after)s
    AND entry.ledger_account = '{WALLET}' AND entry.amount > 0
    AND coalesce(posting.kind, '{PostingKind.USAGE}') IN ('{PostingKind.USAGE}', '{PostingKind.BURN}')
"""  # noqa: S608


class UsageSum(NamedTuple):
    """What a team used of a model."""

    team_id: UUID | None
    model: str
    usages: int
    charge: Decimal


class Covered(NamedTuple):
    """What an allowance covers."""

    tokens: int
    charge: Decimal


class Increase(NamedTuple):
    """By how much what was used on a finalised invoice was too little."""

    invoice_id: UUID
    number: int
    team_id: UUID | None
    model: str
    usages: int
    charge: Decimal


class Billed:
    """What a tenant is invoiced for."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._tx = tx
        self._tenant_id = tenant_id

    async def sums(self, start: datetime, end: datetime) -> list[UsageSum]:
        """Answers what was used by team and model, as corrected in time; usage without a team first."""
        values = {"tenant": self._tenant_id, "start": start, "end": end}
        cursor = await (await self._tx.driver()).execute(_SUMS, values)
        return [UsageSum._make(row) for row in await cursor.fetchall()]

    async def covered(self, start: datetime, end: datetime, tokens: int, spans: Sequence[Span]) -> Covered:
        """Answers what the first so many tokens were charged of those that were used within the spans."""
        values = {"tenant": self._tenant_id, "start": start, "end": end, "tokens": tokens}
        values |= {"span_starts": [each.start for each in spans], "span_ends": [each.end for each in spans]}
        row = await (await (await self._tx.driver()).execute(_COVERED, values)).fetchone()
        return Covered._make(row) if row is not None else Covered(0, Decimal(0))

    async def increases(self, start: datetime, end: datetime) -> list[Increase]:
        """Answers what is invoiced now of invoices that were finalised before, the oldest first."""
        values = {"tenant": self._tenant_id, "start": start, "end": end}
        cursor = await (await self._tx.driver()).execute(_INCREASES, values)
        return [Increase._make(row) for row in await cursor.fetchall()]

    async def burnt(self, after: int) -> Decimal:
        """Answers the credits that paid for usage after this sequence of the ledger."""
        values = {"tenant": self._tenant_id, "after": after}
        row = await (await (await self._tx.driver()).execute(_BURNT, values)).fetchone()
        return Decimal(row[0]) if row is not None else Decimal(0)

    async def first_time(self) -> datetime | None:
        """Answers when the tenant first used or subscribed to anything."""
        used = select(Usage.use_time).where(Usage.tenant_id == self._tenant_id)
        phase = select(SubscriptionPhase.start_time).where(SubscriptionPhase.tenant_id == self._tenant_id)
        session = self._tx.session
        found = [
            await session.scalar(used.order_by(Usage.use_time).limit(1)),
            await session.scalar(phase.order_by(SubscriptionPhase.start_time).limit(1)),
        ]
        return min((each for each in found if each is not None), default=None)

    async def last_sequence(self) -> int:
        """Answers the last sequence of the ledger."""
        query = select(Ledger.last_sequence).where(Ledger.tenant_id == self._tenant_id)
        return await self._tx.session.scalar(query) or 0


class Closings:
    """How far a tenant is closed."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def get(self) -> Closing:
        """Answers how far; one that nobody wrote begins at the beginning."""
        found = await self._session.get(Closing, self._tenant_id)
        fresh = Closing(tenant_id=self._tenant_id, end_time=BEGINNING, sequence=0, credits=Decimal(0))
        return found or fresh


async def lock_closing(tx: Transaction, tenant_id: UUID) -> Closing:
    """Answers how far the tenant is closed, once what is being rated is committed; more waits for us."""
    opened = insert(Closing).values(tenant_id=tenant_id, end_time=BEGINNING)
    await tx.session.execute(opened.on_conflict_do_nothing())
    query = select(Closing).where(Closing.tenant_id == tenant_id).with_for_update()
    found: Sequence[Closing] = (
        await tx.session.scalars(query.execution_options(populate_existing=True))
    ).all()
    return found[0]
