"""Asking the card provider what becomes of payments: at once by the call that begins one, else by a job.

There is one way for a call, a webhook, a retry after a crash and another replica: ask the provider, outside
of any transaction, then note its answer behind the lock of the payment. An answer that does not come means
unknown, never failed: the payment is asked for again until it is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog

from chassis.clock import Clock
from chassis.database import Database, Scope
from chassis.errors import DomainError
from chassis.events import inbox
from chassis.jobs import Job
from services.billing.models import Payment
from services.billing.payments import payments
from services.billing.payments.providers import Charge, Outcome, ProviderSilent
from services.billing.payments.refunds import Refunding
from services.billing.payments.stripe.cards import Cards
from services.billing.payments.stripe.saving import Saving
from services.billing.store.payment_methods import PaymentMethods
from services.billing.store.payments import Payments, Refunds, tenants_waiting
from wrtn.billing.v1 import payments_pb2 as pb

_EVERY = timedelta(seconds=5)
_BATCH = 100
_CONFIRMED_WITHIN = timedelta(days=1)
"""How long who pays may take to confirm a payment, before it is given up."""
_INBOX = "stripe"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Collector:
    """Collects payments by card. `worker` is the worker role's database, which lists tenants."""

    database: Database
    worker: Database
    clock: Clock
    cards: Cards
    saving: Saving
    refunding: Refunding

    def job(self) -> Job:
        """Answers the job that asks for what nobody has noted."""
        return Job("collect-payments", _EVERY, self.run)

    async def run(self) -> None:
        """Asks for every payment and refund whose time has come."""
        now = self.clock.now()
        async with self.worker.snapshot(Scope()) as snapshot:
            tenant_ids = await tenants_waiting(snapshot, now)
        for tenant_id in tenant_ids:
            try:
                await self._run(tenant_id)
            except DomainError as error:
                _log.warning("collecting_waits", tenant_id=str(tenant_id), reason=error.reason)

    async def _run(self, tenant_id: UUID) -> None:
        now = self.clock.now()
        async with self.database.snapshot(Scope.of(tenant_id)) as tx:
            due = await Payments(tx, tenant_id).to_check(now, _BATCH)
            back = await Refunds(tx, tenant_id).to_check(now, _BATCH)
        for payment_id in due:
            await self.advance(tenant_id, payment_id)
        for refund_id in back:
            await self.refunding.advance(tenant_id, refund_id)
        await self._forget(tenant_id)

    async def _forget(self, tenant_id: UUID) -> None:
        """Has the provider forget the cards that were deleted here."""
        async with self.database.snapshot(Scope.of(tenant_id)) as snapshot:
            deleted = await PaymentMethods(snapshot, tenant_id).to_detach(_BATCH)
        for card in deleted:
            try:
                await self.saving.detach(card.provider_method_id)
            except ProviderSilent as silent:
                _log.warning("card_not_forgotten", payment_method_id=str(card.id), reason=silent.reason)
                return
            async with self.database.transaction(Scope.of(tenant_id)) as tx:
                await PaymentMethods(tx, tenant_id).detached(card.id, tx.now)

    async def advance(
        self,
        tenant_id: UUID,
        payment_id: UUID,
        *,
        provider_payment_id: str | None = None,
        event_id: UUID | None = None,
        give_up: bool = False,
    ) -> Outcome | None:
        """Asks the provider what became of a payment and notes it; None if it does not answer.

        An event of the provider names itself, and the charge if we do not know it; it has effect once.
        `give_up` has the provider give up what waits for who pays. Raises PaymentNotFound.
        """
        async with self.database.snapshot(Scope.of(tenant_id)) as snapshot:
            row = await payments.found(snapshot, tenant_id, payment_id)
            charge = await _charge(PaymentMethods(snapshot, tenant_id), row)
        try:
            outcome = await self._ask(charge, row.provider_payment_id or provider_payment_id, give_up)
        except ProviderSilent as silent:
            _log.warning("payment_unknown", payment_id=str(payment_id), reason=silent.reason)
            async with self.database.transaction(Scope.of(tenant_id)) as tx:
                payments.postpone(await payments.found(tx, tenant_id, payment_id, lock=True), tx.now)
            return None
        async with self.database.transaction(Scope.of(tenant_id)) as tx:
            if event_id is None or await inbox.claim(await tx.driver(), _INBOX, [event_id]):
                locked = await payments.found(tx, tenant_id, payment_id, lock=True)
                await payments.settle(tx, locked, outcome)
        return outcome

    async def follow_refunds(self, provider_payment_id: str) -> None:
        """Notes the refunds of what the provider knows by this id; another system's is left alone.

        Raises PaymentNotFound and ProviderSilent.
        """
        whose = await self.cards.payment_of(provider_payment_id)
        if whose is not None:
            await self.refunding.follow(*whose)

    async def _ask(self, charge: Charge, provider_payment_id: str | None, give_up: bool) -> Outcome:
        if provider_payment_id is None:
            return await self.cards.charge(charge)
        if give_up:
            return await self.cards.cancel(provider_payment_id)
        found = await self.cards.outcome(provider_payment_id)
        late = self.clock.now() - charge.create_time > _CONFIRMED_WITHIN
        if found.state == pb.Payment.STATE_ACTION_REQUIRED and late:
            return await self.cards.cancel(provider_payment_id)
        return found


async def _charge(methods: PaymentMethods, row: Payment) -> Charge:
    """Answers what the provider is asked for; a card deleted meanwhile is its to refuse."""
    method = None
    if row.payment_method_id is not None:
        method = await methods.get(row.payment_method_id, deleted=True)
    return Charge(
        row.tenant_id,
        row.id,
        row.amount,
        row.currency,
        row.create_time,
        await methods.customer_id() or "",
        method.provider_method_id if method is not None else "",
        row.automatic,
    )
