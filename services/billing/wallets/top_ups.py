"""Automatic top-up: a wallet below its threshold buys credits by the tenant's default card.

One purchase at a time; after one that failed the next is tried a day later, unless somebody buys meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog

from chassis.database import Database, Scope, Transaction
from chassis.errors import DomainError
from chassis.jobs import Job
from services.billing.payments import payments
from services.billing.store.payments import Payments
from services.billing.store.wallets import Wallets, tenants_below
from wrtn.billing.v1 import payments_pb2 as pb

_EVERY = timedelta(seconds=10)
_PAUSE = timedelta(days=1)
"""How long a purchase that failed keeps the next one back."""
_FAILED = frozenset({pb.Payment.STATE_FAILED, pb.Payment.STATE_CANCELLED})

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TopUps:
    """Begins purchases. `worker` is the worker role's database, which lists tenants."""

    database: Database
    worker: Database

    def job(self) -> Job:
        """Answers the job."""
        return Job("top-up-wallets", _EVERY, self.run)

    async def run(self) -> None:
        """Tops up every wallet that is below its threshold; one that cannot be paid for waits for a card."""
        async with self.worker.snapshot(Scope()) as snapshot:
            tenants = await tenants_below(snapshot)
        for tenant_id in tenants:
            try:
                async with self.database.transaction(Scope.of(tenant_id)) as tx:
                    await top_up(tx, tenant_id)
            except DomainError as error:
                _log.info("top_up_waits", tenant_id=str(tenant_id), reason=error.reason)


async def top_up(tx: Transaction, tenant_id: UUID) -> None:
    """Begins a purchase if the wallet is below its threshold and none is under way, or failed just now.

    Raises PaymentMethodMissing, and AmountInvalid for an amount that cards do not take.
    """
    wallets = Wallets(tx, tenant_id)
    wallet = await wallets.locked()
    if wallet is None or wallet.top_up_threshold is None or wallet.balance >= wallet.top_up_threshold:
        return
    last = await Payments(tx, tenant_id).last_top_up()
    if last is not None and (
        last.state in payments.UNDERWAY or (last.state in _FAILED and last.update_time > tx.now - _PAUSE)
    ):
        return
    await payments.begin(tx, tenant_id, amount=wallet.top_up_amount, automatic=True)
