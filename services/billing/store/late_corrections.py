"""The queries on correcting entries of usage that was invoiced before they were made."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from chassis.database import Transaction
from services.billing.store.billed import IN_TIME
from wrtn.billing.v1.invoices_pb2 import Invoice, InvoiceLine

_STANDING = (Invoice.STATE_OPEN, Invoice.STATE_PAID, Invoice.STATE_UNCOLLECTIBLE)

# Whether the tokens of a plan covered all usage of the invoice: then they cover what is corrected of it, too.
_COVERED = f"""EXISTS (
    SELECT FROM wrtn_invoice_lines AS line
    WHERE (line.tenant_id, line.invoice_id) = (invoice.tenant_id, invoice.id)
        AND line.kind IN ({InvoiceLine.KIND_USAGE}, {InvoiceLine.KIND_INCLUDED})
    HAVING sum(line.exact_amount) = 0 AND bool_or(line.kind = {InvoiceLine.KIND_INCLUDED}))"""

# What a team used of a model goes one way as a whole, as it is one line of its invoice.
_PUT_ASIDE = f"""
INSERT INTO wrtn_late_corrections (tenant_id, history_id, correction_id, invoice_id, bill_time)
SELECT tenant_id, history_id, correction_id, invoice.id, CASE
    WHEN {_COVERED} THEN NULL
    WHEN sum(entry.charge) OVER (PARTITION BY invoice.id, team_id, model) > 0 THEN %(end)s::timestamptz END
FROM wrtn_usage_corrections AS entry JOIN wrtn_usages AS used USING (tenant_id, history_id)
LEFT JOIN wrtn_late_usages AS late USING (tenant_id, history_id)
JOIN wrtn_invoices AS invoice USING (tenant_id)
WHERE tenant_id = %(tenant)s AND correction_id = %(correction)s AND invoice.state IN {_STANDING}
    AND coalesce(late.bill_time, used.use_time) >= invoice.start_time
    AND coalesce(late.bill_time, used.use_time) < invoice.end_time
ON CONFLICT DO NOTHING
"""  # noqa: S608

_DECREASES = f"""
SELECT late.invoice_id, team_id, model, -sum(entry.charge)
FROM wrtn_late_corrections AS late JOIN wrtn_usage_corrections AS entry
    USING (tenant_id, history_id, correction_id)
JOIN wrtn_usages AS used USING (tenant_id, history_id)
JOIN wrtn_invoices AS invoice ON (invoice.tenant_id, invoice.id) = (late.tenant_id, late.invoice_id)
WHERE late.tenant_id = %(tenant)s AND correction_id = %(correction)s AND bill_time IS NULL AND NOT {_COVERED}
GROUP BY late.invoice_id, team_id, model HAVING sum(entry.charge) < 0
ORDER BY late.invoice_id, team_id NULLS FIRST, model
"""  # noqa: S608

_OF_COVERED = f"""
SELECT coalesce(sum(entry.charge), 0)
FROM wrtn_late_corrections AS late JOIN wrtn_usage_corrections AS entry
    USING (tenant_id, history_id, correction_id)
JOIN wrtn_invoices AS invoice ON (invoice.tenant_id, invoice.id) = (late.tenant_id, late.invoice_id)
WHERE late.tenant_id = %(tenant)s AND correction_id = %(correction)s AND {_COVERED}
"""  # noqa: S608

_SUMS = f"""
SELECT coalesce(sum(charge) FILTER (WHERE {IN_TIME}), 0), coalesce(sum(charge) FILTER (WHERE EXISTS (
    SELECT FROM wrtn_late_corrections AS late WHERE bill_time IS NOT NULL
        AND (late.tenant_id, late.history_id, late.correction_id)
            = (entry.tenant_id, entry.history_id, entry.correction_id))), 0)
FROM wrtn_usage_corrections AS entry WHERE tenant_id = %(tenant)s AND correction_id = %(correction)s
"""  # noqa: S608

_INCREASED = """
SELECT coalesce(sum(charge), 0) FROM wrtn_late_corrections JOIN wrtn_usage_corrections
    USING (tenant_id, history_id, correction_id)
WHERE tenant_id = %(tenant)s AND invoice_id = %(invoice)s AND bill_time IS NOT NULL
"""

# What was given back of the credits on an invoice, by which reference begins.
_GIVEN_BACK = """
SELECT coalesce(sum(-entry.amount), 0) FROM wrtn_postings AS posting
JOIN wrtn_ledger_entries AS entry USING (tenant_id, create_time)
WHERE posting.tenant_id = %(tenant)s AND posting.reference LIKE %(reference)s
    AND entry.posting_id = posting.id AND entry.ledger_account = 'wallet'
"""


class Decrease(NamedTuple):
    """By how much what was used on a finalised invoice was too much."""

    invoice_id: UUID
    team_id: UUID | None
    model: str
    charge: Decimal


class LateCorrections:
    """What a correction changes of invoices that were finalised before."""

    def __init__(self, tx: Transaction, tenant_id: UUID, correction_id: UUID) -> None:
        self._tx = tx
        self._values = {"tenant": tenant_id, "correction": correction_id}

    async def put_aside(self, end: datetime) -> None:
        """Notes the entries whose invoice is finalised; increases are invoiced from `end` on."""
        await (await self._tx.driver()).execute(_PUT_ASIDE, self._values | {"end": end})

    async def decreases(self) -> list[Decrease]:
        """Answers what was too much, by invoice, team and model."""
        cursor = await (await self._tx.driver()).execute(_DECREASES, self._values)
        return [Decrease._make(row) for row in await cursor.fetchall()]

    async def covered(self) -> Decimal:
        """Answers by how much usage changes that a plan covered whole, so that nobody pays or gets it."""
        row = await (await (await self._tx.driver()).execute(_OF_COVERED, self._values)).fetchone()
        return row[0] if row is not None else Decimal(0)

    async def sums(self) -> tuple[Decimal, Decimal]:
        """Answers by how much the lines of usage of coming invoices change, and those of correction."""
        row = await (await (await self._tx.driver()).execute(_SUMS, self._values)).fetchone()
        assert row is not None  # noqa: S101 - for the type checker: an aggregate always answers a row
        return row[0], row[1]

    async def increased(self, invoice_id: UUID) -> Decimal:
        """Answers what is, or will be, on later invoices of what was used on this one."""
        values = self._values | {"invoice": invoice_id}
        row = await (await (await self._tx.driver()).execute(_INCREASED, values)).fetchone()
        return row[0] if row is not None else Decimal(0)

    async def given_back(self, reference: str) -> Decimal:
        """Answers how many credits came back under references that begin so."""
        values = self._values | {"reference": f"{reference}%"}
        row = await (await (await self._tx.driver()).execute(_GIVEN_BACK, values)).fetchone()
        return row[0] if row is not None else Decimal(0)
