"""The sums that reconciliation compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot, Transaction, arrays
from services.billing.ledger.chart import USAGE_REVENUE, PostingKind
from services.billing.models import BookDifference
from services.billing.store.billed import Billed
from wrtn.billing.v1.invoices_pb2 import Invoice, InvoiceLine

# Of the revenue only what comes of usage: a credit note that is no correction changes none of the sums.
_SUMS = f"""
SELECT
    (SELECT coalesce(sum(charge), 0) FROM wrtn_holder_cost_days WHERE tenant_id = %(tenant)s) AS persons,
    (SELECT coalesce(sum(charge), 0) FROM wrtn_cost_days
        WHERE tenant_id = %(tenant)s AND part_id <> %(tenant)s) AS teams,
    (SELECT coalesce(sum(charge), 0) FROM wrtn_cost_days
        WHERE tenant_id = %(tenant)s AND part_id = %(tenant)s) AS enterprise,
    (SELECT coalesce(-sum(amount), 0) FROM wrtn_ledger_entries AS entry
        LEFT JOIN wrtn_postings AS posting ON posting.tenant_id = entry.tenant_id AND posting.id = posting_id
        WHERE entry.tenant_id = %(tenant)s AND ledger_account = '{USAGE_REVENUE}'
            AND coalesce(posting.kind, '{PostingKind.USAGE}') IN
                ('{PostingKind.USAGE}', '{PostingKind.CORRECTION}')) AS ledger
"""  # noqa: S608
_NAMES = ("persons", "teams", "enterprise", "ledger")

_BALANCES = """
SELECT coalesce(sum(abs(balance - summed)), 0) FROM (
    SELECT kept.balance, coalesce((SELECT sum(amount) FROM wrtn_ledger_entries AS entry
        WHERE entry.tenant_id = kept.tenant_id AND entry.ledger_account = kept.ledger_account), 0) AS summed
    FROM wrtn_ledger_balances AS kept WHERE kept.tenant_id = %(tenant)s) AS compared
"""

# A month lasts until the next one in which something was used, and the first one begins before all times, so
# that each usage is in one.
_MONTHS = """
SELECT CASE WHEN lag(month) OVER whole IS NULL THEN '1000-01-01Z' ELSE month END,
    coalesce(lead(month) OVER whole, '9999-01-01Z'), month, summed.said, kept.said, found, check_time
FROM (SELECT date_trunc('month', day::timestamp) AT TIME ZONE 'UTC' AS month, sum(charge) AS said
    FROM wrtn_cost_days WHERE tenant_id = %(tenant)s AND part_id = %(tenant)s GROUP BY 1) AS summed
LEFT JOIN wrtn_checked_periods AS kept
    ON (tenant_id, book, start_time) = (%(tenant)s, 'usages', month)
WINDOW whole AS (ORDER BY month) ORDER BY summed.month
"""
_USED = """
SELECT start_time, (
    SELECT coalesce(sum(charge), 0) FROM wrtn_usages
    WHERE tenant_id = %(tenant)s AND use_time >= start_time AND use_time < end_time) + (
    SELECT coalesce(sum(charge), 0) FROM wrtn_usage_corrections
    WHERE tenant_id = %(tenant)s AND use_time >= start_time AND use_time < end_time)
FROM unnest(%(start)s::timestamptz[], %(end)s::timestamptz[]) AS period (start_time, end_time)
"""
_INVOICED = f"""
SELECT summed.start_time, end_time, summed.start_time, summed.said, kept.said, found, check_time
FROM (SELECT invoice.start_time, end_time, coalesce(sum(exact_amount), 0) AS said
    FROM wrtn_invoices AS invoice LEFT JOIN wrtn_invoice_lines AS line
        ON (line.tenant_id, line.invoice_id) = (invoice.tenant_id, invoice.id)
            AND line.kind IN ({InvoiceLine.KIND_USAGE}, {InvoiceLine.KIND_CORRECTION})
    WHERE invoice.tenant_id = %(tenant)s AND number IS NOT NULL AND state <> {Invoice.STATE_VOID}
    GROUP BY invoice.start_time, end_time) AS summed
LEFT JOIN wrtn_checked_periods AS kept
    ON (kept.tenant_id, book, kept.start_time) = (%(tenant)s, 'invoices', summed.start_time)
"""  # noqa: S608

_KEEP = """
INSERT INTO wrtn_checked_periods AS kept (tenant_id, book, start_time, said, found, check_time)
SELECT %(tenant)s, book, start_time, said, found, %(now)s
FROM unnest(%(book)s::text[], %(start_time)s::timestamptz[], %(said)s::numeric[], %(found)s::numeric[])
    AS checked (book, start_time, said, found)
ON CONFLICT (tenant_id, book, start_time)
    DO UPDATE SET said = excluded.said, found = excluded.found, check_time = excluded.check_time
"""


class Period(NamedTuple):
    """A month or the period of an invoice, and what was kept of it when it was summed last."""

    start: datetime
    end: datetime
    key: datetime
    said: Decimal
    said_then: Decimal | None
    found_then: Decimal | None
    check_time: datetime | None

    @property
    def known(self) -> Decimal | None:
        """What its usages came to, unless what is said of them has changed since."""
        return self.found_then if self.said == self.said_then else None


class Checked(NamedTuple):
    """What was found of a period now."""

    book: str
    start_time: datetime
    said: Decimal
    found: Decimal


def due(periods: Sequence[Period]) -> list[Period]:
    """Answers those to be summed: whatever is not known, and of the rest the one that was longest not.

    So a break behind our back, of usages that nobody touches any more, is found too, after some rounds.
    """
    known = [each for each in periods if each.known is not None]
    turn = sorted(known, key=lambda each: each.check_time or each.start)[:1]
    return [each for each in periods if each.known is None or each in turn]


class Books:
    """The books of a tenant. What was summed of periods that are over is in `checked` afterwards."""

    def __init__(self, snapshot: Snapshot, tenant_id: UUID) -> None:
        self._snapshot = snapshot
        self._tenant_id = tenant_id
        self.checked: list[Checked] = []

    async def sums(self) -> dict[str, Decimal]:
        """Answers what was charged by each of the books.

        Balances that are off their entries, and invoices off their usages, count as what they are off.
        """
        ((*summed,),) = await self._rows(_SUMS)
        ((off,),) = await self._rows(_BALANCES)
        found = {"usages": await self._used()} | dict(zip(_NAMES, summed, strict=True))
        ledger = found["ledger"]
        return found | {"balances": ledger + off, "invoices": ledger + await self._invoices_off()}

    async def _used(self) -> Decimal:
        """Answers the sum of all usages. The last month goes on: it is always summed."""
        periods = [Period._make(row) for row in await self._rows(_MONTHS)]
        wanted = due(periods[:-1]) + periods[-1:]
        spans = {"start": [each.start for each in wanted], "end": [each.end for each in wanted]}
        summed = dict(await self._rows(_USED, **spans))
        found = {each.key: each.found_then or Decimal(0) for each in periods}
        found |= {each.key: summed[each.start] for each in wanted}
        self.checked += [Checked("usages", each.key, each.said, found[each.key]) for each in wanted[:-1]]
        return sum(found.values(), Decimal(0))

    async def _invoices_off(self) -> Decimal:
        """Answers by how much finalised invoices differ from what they are about."""
        periods = [Period._make(row) for row in await self._rows(_INVOICED)]
        found = {each.key: each.found_then or Decimal(0) for each in periods}
        for each in due(periods):
            found[each.key] = await self._billed(each)
            self.checked.append(Checked("invoices", each.key, each.said, found[each.key]))
        return sum((abs(each.said - found[each.key]) for each in periods), Decimal(0))

    async def _billed(self, period: Period) -> Decimal:
        """Answers what the invoice of a period is about."""
        billed = Billed(self._snapshot, self._tenant_id)
        used = sum((each.charge for each in await billed.sums(period.start, period.end)), Decimal(0))
        increases = await billed.increases(period.start, period.end)
        return used + sum((each.charge for each in increases), Decimal(0))

    async def _rows(self, query: str, **more: object) -> list[tuple[Any, ...]]:
        cursor = await (await self._snapshot.driver()).execute(query, {"tenant": self._tenant_id, **more})
        return await cursor.fetchall()


class Differences:
    """What was told of the books of a tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def tell(self, differences: Mapping[str, str], now: datetime, again: timedelta) -> bool:
        """Notes what is told; False if the same was told less than `again` ago."""
        row = BookDifference
        noted = insert(row).values(tenant_id=self._tenant_id, differences=dict(differences), tell_time=now)
        told = noted.on_conflict_do_update(
            index_elements=["tenant_id"],
            set_={"differences": noted.excluded.differences, "tell_time": now},
            where=(row.differences != noted.excluded.differences) | (row.tell_time <= now - again),
        )
        return await self._session.scalar(told.returning(row.tenant_id)) is not None

    async def standing(self) -> bool:
        """Whether the books disagreed when they were compared last."""
        return await self._session.get(BookDifference, self._tenant_id) is not None

    async def mended(self) -> None:
        """Forgets what was told: the books agree."""
        await self._session.execute(delete(BookDifference).where(BookDifference.tenant_id == self._tenant_id))


async def keep(tx: Transaction, tenant_id: UUID, checked: Sequence[Checked]) -> None:
    """Keeps what was found of periods, in books that agree."""
    if not checked:
        return
    columns = arrays.by_column(Checked._fields, checked)
    await (await tx.driver()).execute(_KEEP, {"tenant": tenant_id, "now": tx.now, **columns})
