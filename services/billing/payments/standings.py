"""Whether a tenant is overdue, as others are told: each change once, by an event with its version."""

from __future__ import annotations

from uuid import UUID

from chassis.database import Transaction
from services.billing import events, letters
from services.billing.store.dunnings import Dunnings


async def ended(tx: Transaction, tenant_id: UUID, invoice_id: UUID) -> None:
    """Ends the dunning of an invoice that was paid in this transaction, so that nobody waits for the job."""
    row = await Dunnings(tx, tenant_id).running(invoice_id)
    if row is not None:
        row.end_time, row.next_time = tx.now, None
        await tell(tx, tenant_id)


async def tell(tx: Transaction, tenant_id: UUID) -> None:
    """Tells of a tenant that has become overdue, or that pays again; nothing if they were told so."""
    await tx.session.flush()
    dunnings = Dunnings(tx, tenant_id)
    standing, invoice_id = await dunnings.standing(), await dunnings.overdue()
    if standing.overdue == (invoice_id is not None):
        return
    standing.overdue, standing.version = invoice_id is not None, standing.version + 1
    if invoice_id is not None:
        events.payment_overdue(tx, tenant_id, invoice_id, standing.version)
        tx.audit("payment.overdue", tenant_id=tenant_id, target_id=invoice_id)
    else:
        events.payment_recovered(tx, tenant_id, standing.version)
        tx.audit("payment.recovered", tenant_id=tenant_id)
        await letters.write_to_payers(tx, tenant_id, "payment_recovered", {})
