"""The sums that reconciliation compares."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from chassis.database import Snapshot
from services.billing.ledger.chart import USAGE_REVENUE, PostingKind
from services.billing.store.billed import Billed
from wrtn.billing.v1.invoices_pb2 import Invoice, InvoiceLine

# Of the revenue only what comes of usage: a credit note that is no correction changes none of the sums.
_SUMS = f"""
SELECT
    (SELECT coalesce(sum(charge), 0) FROM wrtn_usages WHERE tenant_id = %(tenant)s) + (
        SELECT coalesce(sum(charge), 0) FROM wrtn_usage_corrections WHERE tenant_id = %(tenant)s) AS usages,
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
_NAMES = ("usages", "persons", "teams", "enterprise", "ledger")

_BALANCES = """
SELECT coalesce(sum(abs(balance - summed)), 0) FROM (
    SELECT kept.balance, coalesce((SELECT sum(amount) FROM wrtn_ledger_entries AS entry
        WHERE entry.tenant_id = kept.tenant_id AND entry.ledger_account = kept.ledger_account), 0) AS summed
    FROM wrtn_ledger_balances AS kept WHERE kept.tenant_id = %(tenant)s) AS compared
"""

_INVOICED = f"""
SELECT start_time, end_time, (SELECT coalesce(sum(exact_amount), 0) FROM wrtn_invoice_lines AS line
    WHERE line.tenant_id = invoice.tenant_id AND line.invoice_id = invoice.id
        AND line.kind IN ({InvoiceLine.KIND_USAGE}, {InvoiceLine.KIND_CORRECTION}))
FROM wrtn_invoices AS invoice
WHERE tenant_id = %s AND number IS NOT NULL AND state <> {Invoice.STATE_VOID}
"""  # noqa: S608


class Books:
    """The books of a tenant."""

    def __init__(self, snapshot: Snapshot, tenant_id: UUID) -> None:
        self._snapshot = snapshot
        self._tenant_id = tenant_id

    async def sums(self) -> dict[str, Decimal]:
        """Answers what was charged by each of the books.

        Balances that are off their entries, and invoices off their usages, count as what they are off.
        """
        driver, values = await self._snapshot.driver(), {"tenant": self._tenant_id}
        row = await (await driver.execute(_SUMS, values)).fetchone()
        off = await (await driver.execute(_BALANCES, values)).fetchone()
        assert row is not None  # noqa: S101 - for the type checker: an aggregate always answers a row
        assert off is not None  # noqa: S101 - likewise
        found = dict(zip(_NAMES, row, strict=True))
        ledger = found["ledger"]
        return found | {"balances": ledger + off[0], "invoices": ledger + await self._invoices_off()}

    async def _invoices_off(self) -> Decimal:
        """Answers by how much finalised invoices differ from what they are about."""
        driver, billed = await self._snapshot.driver(), Billed(self._snapshot, self._tenant_id)
        off = Decimal(0)
        for start, end, invoiced in await (await driver.execute(_INVOICED, (self._tenant_id,))).fetchall():
            used = sum(each.charge for each in await billed.sums(start, end))
            increased = sum(each.charge for each in await billed.increases(start, end))
            off += abs(invoiced - used - increased)
        return off
