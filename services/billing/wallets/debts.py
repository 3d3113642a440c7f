"""What is owed because the money of credits is gone that were spent already.

Other credits of the wallet pay for it at once, as they pay for usage: nobody spends credits who owes for
others. What they do not cover stays in the ledger (`receivable`).
"""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from chassis.database import Transaction
from services.billing.store.billed import lock_closing
from services.billing.store.wallets import WalletRead
from services.billing.wallets import wallets


async def owe(tx: Transaction, tenant_id: UUID, amount: Decimal, currency: str, *, reference: str) -> None:
    """Has an amount be owed, which the caller posts; what it had paid for is on the next invoice.

    Once for each reference.
    """
    closing = await lock_closing(tx, tenant_id)
    # The next invoice takes off only credits that were paid for.
    closing.credits -= amount
    await wallets.burn(tx, tenant_id, amount, currency, reference=reference)


async def forgive(
    tx: Transaction, tenant_id: UUID, amount: Decimal, currency: str, *, reference: str
) -> None:
    """Undoes `owe` of this reference, of which the caller posts the opposite; credits that paid return."""
    paid = await WalletRead(tx, tenant_id).burnt(reference)
    returned = Decimal(0)
    if paid:
        whose = (tx, tenant_id, paid, currency)
        returned = await wallets.give_back(*whose, reference=f"{reference}-back")
    closing = await lock_closing(tx, tenant_id)
    closing.credits += amount - returned
