"""The events that billing publishes."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from chassis import decimals, timestamps
from chassis.database import Transaction
from chassis.events.envelope import Event
from services.billing.models import Budget, Dispute, Invoice, Payment, Refund, Subscription
from services.billing.spending.admission import Counter
from services.billing.store.wallets import NewLot
from services.billing.usage.usages import RatedUsage
from wrtn.billing.v1.events_pb2 import (
    BudgetChanged,
    BudgetNoticed,
    InvoiceChanged,
    PaymentChanged,
    PaymentDisputed,
    PaymentOverdue,
    PaymentRecovered,
    RefundFailed,
    SubscriptionChanged,
    TokensRefused,
    UsageRated,
    WalletCredited,
    WalletRefused,
)
from wrtn.billing.v1.plans_pb2 import PlanTerms
from wrtn.billing.v1.wallets_pb2 import WalletLot
from wrtn.sessions.v1.events_pb2 import UsageRecorded


def usage_rated(recorded: Event[UsageRecorded], usage: RatedUsage) -> UsageRated:
    """Builds the event that tells the cost of a usage, with the attribution as it came."""
    message = recorded.message
    return UsageRated(
        history_id=message.history_id,
        model=message.model,
        cost=decimals.text(usage.cost),
        currency=usage.currency,
        charge=decimals.text(usage.charge),
        charge_currency=usage.charge_currency,
        price_id=str(usage.price_id) if usage.price_id is not None else "",
        attribution=message.attribution,
        use_time=message.use_time,
    )


def budget_changed(tx: Transaction, budget: Budget) -> None:
    """Tells that a budget was set, changed or lifted."""
    event = BudgetChanged(
        budget_id=str(budget.id), team_id=_text(budget.team_id), employee_id=_text(budget.employee_id)
    )
    tx.publish(event, aggregate_id=budget.id, version=budget.version, tenant_id=budget.tenant_id)


def budget_refused(tx: Transaction, tenant_id: UUID, counter: Counter) -> None:
    """Tells that a budget refused a spending for the first time in a period."""
    event = BudgetNoticed(
        kind=BudgetNoticed.KIND_REFUSED,
        budget_id=str(counter.budget_id),
        team_id=_text(counter.team_id),
        employee_id=_text(counter.employee_id),
        start_time=timestamps.of(counter.start),
    )
    tx.publish(event, aggregate_id=counter.budget_id, tenant_id=tenant_id)


def budget_reached(tx: Transaction, budget: Budget, start: datetime, threshold: Decimal) -> None:
    """Tells that so much of a budget is spent."""
    event = BudgetNoticed(
        kind=BudgetNoticed.KIND_THRESHOLD,
        budget_id=str(budget.id),
        team_id=_text(budget.team_id),
        employee_id=_text(budget.employee_id),
        threshold=float(threshold),
        start_time=timestamps.of(start),
    )
    tx.publish(event, aggregate_id=budget.id, version=budget.version, tenant_id=budget.tenant_id)


def invoice_changed(tx: Transaction, invoice: Invoice) -> None:
    """Tells that an invoice was finalised, paid, credited, withdrawn or given up."""
    event = InvoiceChanged(
        invoice_id=str(invoice.id),
        state=invoice.state,  # type: ignore[arg-type]
        total=decimals.text(invoice.total),
        due=decimals.text(invoice.due),
        currency=invoice.currency,
    )
    tx.publish(event, aggregate_id=invoice.id, version=invoice.version, tenant_id=invoice.tenant_id)


def subscription_changed(tx: Transaction, row: Subscription, terms: PlanTerms) -> None:
    """Tells what an enterprise is subscribed to from now on."""
    event = SubscriptionChanged(
        subscription_id=str(row.id),
        state=row.state,  # type: ignore[arg-type]
        plan_id=str(row.plan_id),
        plan_version=row.plan_version,
        seats=row.seats,
        limits=terms.limits,
        start_time=timestamps.of(row.start_time),
    )
    tx.publish(event, aggregate_id=row.id, version=row.version, tenant_id=row.tenant_id)


def payment_changed(tx: Transaction, payment: Payment) -> None:
    """Tells that a payment succeeded, failed, waits for who pays, or was given back."""
    event = PaymentChanged(
        payment_id=str(payment.id),
        state=payment.state,  # type: ignore[arg-type]
        amount=decimals.text(payment.amount),
        refunded_amount=decimals.text(payment.refunded_amount),
        currency=payment.currency,
        invoice_id=_text(payment.invoice_id),
    )
    tx.publish(event, aggregate_id=payment.id, version=payment.version, tenant_id=payment.tenant_id)


def payment_disputed(tx: Transaction, payment: Payment, dispute: Dispute) -> None:
    """Tells that a payment is contested, or how that was decided."""
    event = PaymentDisputed(
        payment_id=str(payment.id),
        state=payment.state,  # type: ignore[arg-type]
        amount=decimals.text(dispute.amount),
        currency=payment.currency,
    )
    tx.publish(event, aggregate_id=payment.id, version=payment.version, tenant_id=payment.tenant_id)


def refund_failed(tx: Transaction, payment: Payment, refund: Refund) -> None:
    """Tells that money which was given back could not be delivered."""
    event = RefundFailed(
        payment_id=str(payment.id), amount=decimals.text(refund.amount), currency=payment.currency
    )
    tx.publish(event, aggregate_id=payment.id, version=payment.version, tenant_id=payment.tenant_id)


def wallet_credited(tx: Transaction, tenant_id: UUID, currency: str, lot_id: UUID, lot: NewLot) -> None:
    """Tells that credits came into a wallet."""
    event = WalletCredited(
        lot_id=str(lot_id),
        kind=WalletLot.Kind.Value(f"KIND_{lot.kind}"),
        amount=decimals.text(lot.amount),
        currency=currency,
    )
    tx.publish(event, aggregate_id=tenant_id, tenant_id=tenant_id)


def wallet_refused(tx: Transaction, tenant_id: UUID, currency: str, left: Decimal) -> None:
    """Tells that a wallet refused a spending for the first time since credits last came."""
    event = WalletRefused(left=decimals.text(left), currency=currency)
    tx.publish(event, aggregate_id=tenant_id, tenant_id=tenant_id)


def tokens_refused(tx: Transaction, tenant_id: UUID, plan_id: UUID, end: datetime) -> None:
    """Tells that a plan refused a spending for the first time in a month, since its tokens are used."""
    event = TokensRefused(plan_id=str(plan_id), reset_time=timestamps.of(end))
    tx.publish(event, aggregate_id=tenant_id, tenant_id=tenant_id)


def payment_overdue(tx: Transaction, tenant_id: UUID, invoice_id: UUID, version: int) -> None:
    """Tells that a tenant has not paid within the grace."""
    event = PaymentOverdue(tenant_id=str(tenant_id), invoice_id=str(invoice_id))
    tx.publish(event, aggregate_id=tenant_id, version=version, tenant_id=tenant_id)


def payment_recovered(tx: Transaction, tenant_id: UUID, version: int) -> None:
    """Tells that a tenant which was overdue owes nothing that is."""
    event = PaymentRecovered(tenant_id=str(tenant_id))
    tx.publish(event, aggregate_id=tenant_id, version=version, tenant_id=tenant_id)


def _text(id_: UUID | None) -> str:
    return str(id_) if id_ is not None else ""
