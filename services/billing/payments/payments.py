"""Payments: begun, booked when the money is there, ended when it will not come.

`_TURNS` is drawn in the README. What became of a payment is what its provider says; money that came is
booked in any state, since nobody would give it back because of ours.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from chassis.database import Snapshot, Transaction
from services.billing import events
from services.billing.errors import (
    AmountInvalid,
    CurrencyMismatch,
    InvoiceNotFound,
    InvoiceNotOpen,
    PaymentMethodMissing,
    PaymentMethodNotFound,
    PaymentNotFound,
    PaymentUnderway,
    TransferBooked,
)
from services.billing.ledger.money import rounded
from services.billing.models import Payment, PaymentMethod
from services.billing.payments import booking
from services.billing.payments.providers import Outcome
from services.billing.payments.stripe.amounts import units_of
from services.billing.store.invoices import Invoices
from services.billing.store.payment_methods import PaymentMethods
from services.billing.store.payments import Payments
from services.billing.wallets import top_up_failures, wallets
from wrtn.billing.v1 import payments_pb2 as pb

UNDERWAY: frozenset[int] = frozenset({pb.Payment.STATE_PENDING, pb.Payment.STATE_ACTION_REQUIRED})
_ENDED: frozenset[int] = frozenset({pb.Payment.STATE_FAILED, pb.Payment.STATE_CANCELLED})
# From each state, those that the provider may turn it to.
_TURNS: dict[int, frozenset[int]] = {
    pb.Payment.STATE_PENDING: UNDERWAY | _ENDED | {pb.Payment.STATE_SUCCEEDED},
    pb.Payment.STATE_ACTION_REQUIRED: UNDERWAY | _ENDED | {pb.Payment.STATE_SUCCEEDED},
    pb.Payment.STATE_FAILED: frozenset({pb.Payment.STATE_SUCCEEDED}),
    pb.Payment.STATE_CANCELLED: frozenset({pb.Payment.STATE_SUCCEEDED}),
    # Disputes go their own way (`disputes.py`): to the provider the charge has succeeded all the same.
    pb.Payment.STATE_SUCCEEDED: frozenset(),
    pb.Payment.STATE_DISPUTED: frozenset(),
    pb.Payment.STATE_LOST: frozenset(),
}
_GRACE = timedelta(minutes=1)
"""How long a call has to ask the provider itself, before the job does."""
_LONGEST_WAIT = 60


async def begin(
    tx: Transaction,
    tenant_id: UUID,
    *,
    invoice_id: UUID | None = None,
    amount: Decimal | None = None,
    currency: str = "",
    method_id: UUID | None = None,
    automatic: bool = False,
) -> Payment:
    """Begins a payment by a saved card: of all that is due of an invoice, or of `amount` for credits.

    An automatic one is asked of the provider by the next job. Raises InvoiceNotFound, InvoiceNotOpen,
    PaymentUnderway, PaymentMethodMissing, PaymentMethodNotFound, AmountInvalid and CurrencyMismatch.
    """
    method = await _method(tx, tenant_id, method_id)
    if invoice_id is not None:
        due, own = await _due(tx, tenant_id, invoice_id)
        if amount is not None and amount != due:
            raise AmountInvalid("Another amount is due: read the invoice again.", field="amount")
        amount = due
    else:
        own = await wallets.currency_of(tx, tenant_id)
    if (currency or own) != own:
        raise CurrencyMismatch(f"It is to be paid in {own}.", field="currency")
    row = _row(tx, tenant_id, pb.PAYMENT_PROVIDER_STRIPE, _checked(amount, own), own, invoice_id)
    units_of(row.amount, own)
    row.payment_method_id, row.automatic = method.id, automatic
    row.check_time = tx.now if automatic else tx.now + _GRACE
    if not await Payments(tx, tenant_id).insert(row):
        raise PaymentUnderway("Another payment of this invoice is under way.", field="invoice_id")
    tx.audit("payment.begun", tenant_id=tenant_id, target_id=row.id)
    return row


async def book_transfer(
    tx: Transaction,
    tenant_id: UUID,
    transaction: str,
    amount: Decimal,
    currency: str,
    *,
    invoice_id: UUID | None,
    reason: str,
) -> Payment:
    """Books a bank transfer that came.

    Raises InvoiceNotFound, InvoiceNotOpen, TransferBooked, AmountInvalid and CurrencyMismatch.
    """
    if invoice_id is not None:
        _, own = await _due(tx, tenant_id, invoice_id)
    else:
        own = await wallets.currency_of(tx, tenant_id)
    if currency != own:
        raise CurrencyMismatch(f"It is to be paid in {own}.", field="currency")
    row = _row(tx, tenant_id, pb.PAYMENT_PROVIDER_BANK_TRANSFER, _checked(amount, own), own, invoice_id)
    row.provider_payment_id, row.state = transaction, pb.Payment.STATE_SUCCEEDED
    if not await Payments(tx, tenant_id).insert(row):
        raise TransferBooked("This transaction is booked already.", field="transaction")
    booked = await found(tx, tenant_id, row.id, lock=True)
    await booking.book(tx, booked)
    tx.audit("payment.transfer_booked", tenant_id=tenant_id, target_id=row.id, reason=reason)
    events.payment_changed(tx, booked)
    return booked


async def found(tx: Snapshot, tenant_id: UUID, payment_id: UUID, *, lock: bool = False) -> Payment:
    """Answers a payment, locked if it is to be changed; raises PaymentNotFound."""
    row = await Payments(tx, tenant_id).get(payment_id, lock=lock)
    if row is None:
        raise PaymentNotFound("The payment does not exist.", field="payment_id")
    return row


async def settle(tx: Transaction, row: Payment, outcome: Outcome) -> None:
    """Notes what became of a locked payment; what it is or cannot become changes nothing."""
    row.provider_payment_id = row.provider_payment_id or outcome.provider_payment_id
    if row.state in UNDERWAY:
        row.check_time = _next_check(row, tx.now) if outcome.state in UNDERWAY else None
    if outcome.state == row.state or outcome.state not in _TURNS[row.state]:
        return
    row.state, row.failure = outcome.state, outcome.failure
    row.version, row.update_time = row.version + 1, tx.now
    if row.state == pb.Payment.STATE_SUCCEEDED:
        await booking.book(tx, row)
    elif row.state == pb.Payment.STATE_FAILED and row.automatic and row.invoice_id is None:
        await top_up_failures.note(tx, row.tenant_id)
    tx.audit("payment.settled", tenant_id=row.tenant_id, target_id=row.id, state=row.state)
    events.payment_changed(tx, row)


def postpone(row: Payment, now: datetime) -> None:
    """Has the provider of a locked payment, which did not answer, be asked again later."""
    if row.state in UNDERWAY:
        row.check_time = _next_check(row, now)


def _next_check(row: Payment, now: datetime) -> datetime:
    wait = timedelta(minutes=min(2 ** min(row.checks, 10), _LONGEST_WAIT))
    row.checks += 1
    return now + wait


async def _method(tx: Transaction, tenant_id: UUID, method_id: UUID | None) -> PaymentMethod:
    methods = PaymentMethods(tx, tenant_id)
    if method_id is not None:
        found = await methods.get(method_id)
        if found is None:
            raise PaymentMethodNotFound("The card does not exist.", field="payment_method_id")
        return found
    default = await methods.default()
    if default is None:
        raise PaymentMethodMissing("There is no default card: save one, or name one.")
    return default


async def _due(tx: Transaction, tenant_id: UUID, invoice_id: UUID) -> tuple[Decimal, str]:
    """Answers what is due of an invoice, locked, and its currency."""
    invoices = Invoices(tx, tenant_id)
    row = await invoices.open(invoice_id)
    if row is not None:
        return row.due, row.currency
    if await invoices.get(invoice_id) is None:
        raise InvoiceNotFound("The invoice does not exist.", field="invoice_id")
    raise InvoiceNotOpen("The invoice is not to be paid (any more).", field="invoice_id")


def _checked(amount: Decimal | None, currency: str) -> Decimal:
    if amount is None or amount <= 0 or amount != rounded(amount, currency):
        raise AmountInvalid("The amount must be above zero, in coins of the currency.", field="amount")
    return amount


def _row(
    tx: Transaction, tenant_id: UUID, provider: int, amount: Decimal, currency: str, invoice_id: UUID | None
) -> Payment:
    return Payment(
        tenant_id=tenant_id,
        id=tx.clock.new_id(),
        provider=provider,
        provider_payment_id=None,
        state=pb.Payment.STATE_PENDING,
        amount=amount,
        currency=currency,
        invoice_id=invoice_id,
        applied_amount=Decimal(0),
        refunded_amount=Decimal(0),
        payment_method_id=None,
        automatic=False,
        failure="",
        check_time=None,
        checks=0,
        version=1,
        create_time=tx.now,
        update_time=tx.now,
    )
