"""Refunds: what was paid goes back by the way it came, never more than that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import structlog
from prometheus_client import Counter

from chassis.database import Database, Scope, Transaction
from chassis.decimals import text
from services.billing import events, letters
from services.billing.errors import AmountInvalid, PaymentNotRefundable, RefundAbovePaid, RefundNotFound
from services.billing.ledger.money import rounded
from services.billing.models import Payment, Refund
from services.billing.payments import booking, payments, refunded_credits
from services.billing.payments.providers import Found, PaymentProvider, ProviderSilent, Return, Returned
from services.billing.store.payments import Refunds
from wrtn.billing.v1 import payments_pb2 as pb

_GRACE = timedelta(minutes=1)
_LONGEST_WAIT = 60
_FIRST_LOOK = timedelta(days=1)
_LAST_LOOK = timedelta(days=31)
"""A bank may send a refund back for thirty days: it is looked at after 1, 2, 4, 8, 16 and 32 days."""

_log = structlog.get_logger(__name__)
_failed = Counter("wrtn_billing_failed_refunds_total", "Refunds that a provider took on, and that failed.")


async def begin(tx: Transaction, tenant_id: UUID, payment_id: UUID, amount: Decimal, reason: str) -> Refund:
    """Takes the amount out of what may be given back, and credits that it bought out of the wallet.

    The provider is asked after the commit. Raises PaymentNotFound, PaymentNotRefundable, RefundAbovePaid,
    RefundAboveLeft and AmountInvalid.
    """
    paid = await payments.found(tx, tenant_id, payment_id, lock=True)
    if paid.state != pb.Payment.STATE_SUCCEEDED:
        raise PaymentNotRefundable("The payment has not succeeded.", field="payment_id")
    if amount <= 0 or amount != rounded(amount, paid.currency):
        raise AmountInvalid("The amount must be above zero, in coins of the currency.", field="amount")
    row = _row(tx, paid, amount)
    await refunded_credits.take(tx, paid, row)
    tx.session.add(row)
    tx.audit(
        "payment.refund_begun", tenant_id=tenant_id, target_id=payment_id, reason=reason, refund_id=row.id
    )
    return row


async def adopt(tx: Transaction, paid: Payment, found: Found) -> None:
    """Notes a refund of a locked payment that the provider tells of, whoever began it; once, by its id.

    One that nobody began here takes the credits that the payment bought, and leaves what is spent of them
    owed; it waits while the payment is contested. Raises RefundAbovePaid while another one under way has what
    it took.
    """
    refunds = Refunds(tx, paid.tenant_id)
    row = await refunds.found_by(found.refund_id, found.returned.provider_refund_id)
    if row is None:
        if found.returned.state == pb.Refund.STATE_FAILED or paid.state != pb.Payment.STATE_SUCCEEDED:
            return
        row = _row(tx, paid, found.amount)
        row.provider_refund_id = found.returned.provider_refund_id
        await refunded_credits.take_what_is_left(tx, paid, row)
        tx.session.add(row)
        await tx.session.flush()
        tx.audit(
            "payment.refund_found",
            tenant_id=paid.tenant_id,
            target_id=paid.id,
            refund_id=row.id,
            debt=text(row.debt),
        )
    await settle(tx, row, found.returned)


async def settle(tx: Transaction, row: Refund, returned: Returned) -> None:
    """Notes what became of a locked refund: one that succeeded may fail later, one that failed stays so."""
    if row.state == pb.Refund.STATE_FAILED:
        return
    taken_on = row.provider_refund_id is not None
    row.provider_refund_id = row.provider_refund_id or returned.provider_refund_id
    if returned.state == pb.Refund.STATE_PENDING:
        postpone(row, tx.now)
        return
    row.check_time = _next_look(row, returned, tx.now)
    if returned.state == row.state:
        return
    before, row.state, row.update_time = row.state, returned.state, tx.now
    paid = await payments.found(tx, row.tenant_id, row.payment_id, lock=True)
    paid.version, paid.update_time = paid.version + 1, tx.now
    if row.state == pb.Refund.STATE_SUCCEEDED:
        await booking.book_back(tx, paid, row)
    else:
        await _undo(tx, paid, row, booked=before == pb.Refund.STATE_SUCCEEDED)
        if taken_on:
            await _tell_failure(tx, paid, row)
    tx.audit("payment.refund_settled", tenant_id=row.tenant_id, target_id=row.payment_id, state=row.state)
    events.payment_changed(tx, paid)


async def _undo(tx: Transaction, paid: Payment, row: Refund, *, booked: bool) -> None:
    """Gives up what a refund took that failed: before its money was booked as gone, or after it."""
    if booked:
        await booking.book_returned(tx, paid, row)
    paid.refunded_amount -= row.amount
    await refunded_credits.put_back(tx, paid, row)


async def _tell_failure(tx: Transaction, paid: Payment, row: Refund) -> None:
    """Tells those who pay and the staff; who asks for a refund that is refused at once is answered so."""
    tx.after_commit(_failed.inc)
    events.refund_failed(tx, paid, row)
    fills = {"amount": f"{text(row.amount)} {paid.currency}"}
    await letters.write_to_payers(tx, paid.tenant_id, "refund_failed", fills)


def _next_look(row: Refund, returned: Returned, now: datetime) -> datetime | None:
    """Answers when the provider is asked again whether a refund that succeeded has failed since."""
    age = now - row.create_time
    known = row.provider_refund_id is not None and returned.state == pb.Refund.STATE_SUCCEEDED
    return now + max(_FIRST_LOOK, age) if known and age < _LAST_LOOK else None


def postpone(row: Refund, now: datetime) -> None:
    """Has the provider be asked again later."""
    row.check_time = now + timedelta(minutes=min(2 ** min(row.checks, 10), _LONGEST_WAIT))
    row.checks += 1


@dataclass(frozen=True, slots=True)
class Refunding:
    """Asks providers to give money back."""

    database: Database
    providers: Mapping[int, PaymentProvider]
    """By wrtn.billing.v1.PaymentProvider; those that are set up."""

    async def follow(self, tenant_id: UUID, payment_id: UUID) -> None:
        """Notes all refunds of a payment that its provider has; raises PaymentNotFound and ProviderSilent."""
        async with self.database.snapshot(Scope.of(tenant_id)) as snapshot:
            paid = await payments.found(snapshot, tenant_id, payment_id)
        provider = self.providers.get(paid.provider)
        if provider is None or paid.provider_payment_id is None:
            return
        found = await provider.returns(paid.provider_payment_id, paid.currency)
        async with self.database.transaction(Scope.of(tenant_id)) as tx:
            paid = await payments.found(tx, tenant_id, payment_id, lock=True)
            for each in found:
                await adopt(tx, paid, each)

    async def advance(
        self, tenant_id: UUID, refund_id: UUID, *, provider_refund_id: str | None = None
    ) -> Refund:
        """Has the money given back and answers what is known of it; what is not is asked again later.

        An event of the provider names the refund there, if its answer was lost.
        """
        async with self.database.snapshot(Scope.of(tenant_id)) as snapshot:
            row = await _found(Refunds(snapshot, tenant_id), refund_id)
            paid = await payments.found(snapshot, tenant_id, row.payment_id)
        provider = self.providers.get(paid.provider)
        if row.state == pb.Refund.STATE_FAILED or provider is None:
            return row
        wanted = Return(
            tenant_id,
            row.id,
            paid.provider_payment_id or "",
            row.amount,
            paid.currency,
            row.create_time,
            row.provider_refund_id or provider_refund_id,
        )
        try:
            returned = await provider.give_back(wanted)
        except ProviderSilent as silent:
            _log.warning("refund_unknown", refund_id=str(refund_id), reason=silent.reason)
            returned = Returned(pb.Refund.STATE_PENDING)
        async with self.database.transaction(Scope.of(tenant_id)) as tx:
            # The payment first, as `adopt` locks them.
            await payments.found(tx, tenant_id, row.payment_id, lock=True)
            row = await _found(Refunds(tx, tenant_id), refund_id, lock=True)
            await settle(tx, row, returned)
        return row


def _row(tx: Transaction, paid: Payment, amount: Decimal) -> Refund:
    """Begins a refund of a locked payment, out of what is left of it; raises RefundAbovePaid."""
    left = paid.amount - paid.refunded_amount
    if amount > left:
        raise RefundAbovePaid("Less than that is left of what was paid.", field="amount", left=text(left))
    paid.refunded_amount += amount
    return Refund(
        tenant_id=paid.tenant_id,
        id=tx.clock.new_id(),
        payment_id=paid.id,
        provider_refund_id=None,
        state=pb.Refund.STATE_PENDING,
        amount=amount,
        credits=Decimal(0),
        debt=Decimal(0),
        check_time=tx.now + _GRACE,
        checks=0,
        create_time=tx.now,
        update_time=tx.now,
    )


async def _found(refunds: Refunds, refund_id: UUID, *, lock: bool = False) -> Refund:
    row = await refunds.get(refund_id, lock=lock)
    if row is None:
        raise RefundNotFound("The refund does not exist.", field="refund_id")
    return row
