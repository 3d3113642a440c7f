"""The credits that a plan includes: given for each month by the calendar, gone at its end.

They are given once a month, whatever is subscribed to in it: those of another plan come with the next month.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from chassis.database import Snapshot, Transaction
from services.billing.periods import span
from services.billing.plans.fees import price_in
from services.billing.store.customers import Customer
from services.billing.store.plans import Plans
from services.billing.store.subscriptions import Subscriptions
from services.billing.wallets import wallets
from wrtn.billing.v1.budgets_pb2 import BUDGET_PERIOD_MONTH
from wrtn.billing.v1.subscriptions_pb2 import Subscription as Wire

_PRIORITY = 10
"""They burn before bonuses and purchases, which last longer."""


class Due(NamedTuple):
    """Credits that are to be given now."""

    amount: Decimal
    currency: str
    end: datetime
    reference: str


async def due(tx: Snapshot, tenant_id: UUID) -> Due | None:
    """Answers what the running month includes, unless it is given already."""
    queries = Subscriptions(tx, tenant_id)
    row = await queries.newest()
    if row is None or row.state not in (Wire.STATE_TRIALING, Wire.STATE_ACTIVE):
        return None
    plan = await Plans(tx).get(row.plan_id, row.plan_version)
    price = price_in(plan.terms, row.currency) if plan is not None else None
    amount = Decimal(price.included_credits or 0) if price is not None else Decimal(0)
    month = span(BUDGET_PERIOD_MONTH, ZoneInfo(await Customer(tx, tenant_id).time_zone()), tx.now)
    reference = f"included:{month.start:%Y-%m-%dT%H%M}"
    if not amount or month.end is None or await queries.credited(reference):
        return None
    return Due(amount, row.currency, month.end, reference)


async def give(tx: Transaction, tenant_id: UUID) -> None:
    """Gives what is due; repeating it changes nothing."""
    found = await due(tx, tenant_id)
    if found is not None:
        await wallets.grant(
            tx,
            tenant_id,
            found.amount,
            found.currency,
            priority=_PRIORITY,
            expire_time=found.end,
            reference=found.reference,
        )
