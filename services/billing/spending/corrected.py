"""Corrections reach the budgets: what a usage was charged wrong moves where it was spent.

It is no admission, so nothing is refused: what comes above a limit is overshoot, and stops the next call.
"""

from __future__ import annotations

from uuid import UUID

from chassis.database import Transaction
from services.billing.spending.settling import tell_thresholds
from services.billing.store.reservations import Reservations


async def spend(tx: Transaction, tenant_id: UUID, correction_id: UUID) -> None:
    """Adds the entries of a correction to what is spent; to be called once, in their transaction."""
    reservations = Reservations(tx)
    moved = await reservations.corrected(tenant_id, correction_id)
    await tell_thresholds(tx, moved, await reservations.move(moved, {}, {}))
