"""Automatic top-up is turned off once purchase after purchase fails."""

from __future__ import annotations

from uuid import UUID

from chassis.database import Transaction
from services.billing import letters
from services.billing.store.payments import Payments
from services.billing.store.wallets import Wallets
from services.billing.wallets import wallets

MOST = 3
"""How many purchases in a row may fail. Once it was turned on again, one that fails turns it off."""


async def note(tx: Transaction, tenant_id: UUID) -> None:
    """Turns it off if the last purchases have all failed, and writes to those who pay."""
    if not await Payments(tx, tenant_id).last_top_ups_failed(MOST):
        return
    wallet = await Wallets(tx, tenant_id).locked()
    if wallet is None or wallet.top_up_threshold is None:
        return
    await wallets.set_top_up(tx, tenant_id, "", {"top_up_threshold": None, "top_up_amount": None})
    await letters.write_to_payers(tx, tenant_id, "top_up_stopped", {"times": str(MOST)})
