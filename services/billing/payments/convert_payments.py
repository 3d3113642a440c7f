"""Payments, refunds and saved cards as they stand on the wire."""

from __future__ import annotations

from chassis import timestamps
from chassis.decimals import text
from services.billing import models
from wrtn.billing.v1 import payments_pb2 as pb


def payment(row: models.Payment) -> pb.Payment:
    """Builds a payment."""
    transfer = row.provider == pb.PAYMENT_PROVIDER_BANK_TRANSFER
    return pb.Payment(
        id=str(row.id),
        tenant_id=str(row.tenant_id),
        provider=row.provider,  # type: ignore[arg-type]
        state=row.state,  # type: ignore[arg-type]
        amount=text(row.amount),
        currency=row.currency,
        invoice_id=str(row.invoice_id or ""),
        applied_amount=text(row.applied_amount),
        refunded_amount=text(row.refunded_amount),
        payment_method_id=str(row.payment_method_id or ""),
        automatic=row.automatic,
        failure=row.failure,
        transaction=(row.provider_payment_id or "") if transfer else "",
        create_time=timestamps.of(row.create_time),
        update_time=timestamps.of(row.update_time),
    )


def refund(row: models.Refund, currency: str) -> pb.Refund:
    """Builds a refund."""
    return pb.Refund(
        id=str(row.id),
        payment_id=str(row.payment_id),
        state=row.state,  # type: ignore[arg-type]
        amount=text(row.amount),
        currency=currency,
        credits=text(row.credits),
        debt=text(row.debt),
        create_time=timestamps.of(row.create_time),
    )
