"""What administrators do to wallets. Each act is told to auditors with its reason."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from chassis.database import Transaction
from chassis.decimals import text
from services.billing.errors import WalletSetByPlan
from services.billing.models import WalletLot
from services.billing.store.subscriptions import Subscriptions
from services.billing.wallets import wallets
from wrtn.billing.v1.subscriptions_pb2 import Subscription


class Act(NamedTuple):
    """To whose wallet something is done, how much it is about, and why."""

    tenant_id: UUID
    amount: Decimal
    currency: str
    reason: str


async def add_bonus(tx: Transaction, act: Act) -> WalletLot:
    """Gives credits for good; raises as `wallets.bonus`."""
    reference = f"bonus:{tx.clock.new_id()}"
    lot = await wallets.bonus(tx, act.tenant_id, act.amount, act.currency, reference=reference)
    _audit(tx, "wallet.bonus_added", act, lot.id)
    return lot


async def add_grant(tx: Transaction, act: Act, priority: int, expire_time: datetime) -> WalletLot:
    """Gives credits until a moment; raises as `wallets.grant`."""
    lot = await wallets.grant(
        tx,
        act.tenant_id,
        act.amount,
        act.currency,
        priority=priority,
        expire_time=expire_time,
        reference=f"grant:{tx.clock.new_id()}",
    )
    _audit(tx, "wallet.grant_added", act, lot.id)
    return lot


async def fine(tx: Transaction, act: Act) -> None:
    """Fines the tenant; raises as `wallets.fine`."""
    fine_id = tx.clock.new_id()
    await wallets.fine(tx, act.tenant_id, act.amount, act.currency, reference=f"fine:{fine_id}")
    _audit(tx, "wallet.fined", act, fine_id)


async def refund(tx: Transaction, act: Act, lot_id: UUID) -> WalletLot:
    """Takes bought credits back, to be paid back; raises as `wallets.refund`."""
    reference = f"refund:{tx.clock.new_id()}"
    lot = await wallets.refund(tx, act.tenant_id, lot_id, act.amount, act.currency, reference=reference)
    _audit(tx, "wallet.lot_refunded", act, lot_id)
    return lot


async def set_prepaid(tx: Transaction, tenant_id: UUID, *, prepaid: bool, reason: str) -> None:
    """Says whether what the wallet does not cover is refused or owed; raises WalletSetByPlan."""
    standing = await Subscriptions(tx, tenant_id).newest()
    if standing is not None and standing.state != Subscription.STATE_CANCELED:
        raise WalletSetByPlan("The plan says whether this tenant pays in advance: change the plan.")
    await wallets.set_prepaid(tx, tenant_id, prepaid=prepaid)
    details = {"prepaid": str(prepaid).lower()}
    tx.audit("wallet.prepaid_set", tenant_id=tenant_id, target_id=tenant_id, reason=reason, **details)


def _audit(tx: Transaction, action: str, act: Act, target_id: UUID) -> None:
    tx.audit(
        action,
        tenant_id=act.tenant_id,
        target_id=target_id,
        reason=act.reason,
        amount=text(act.amount),
        currency=act.currency,
    )
