"""Payments, refunds, and by what they are paid."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from services.billing.models.base import Base


class Payment(Base):
    """Money that a tenant pays, one underway at a time for an invoice."""

    __tablename__ = "wrtn_payments"
    __table_args__ = (
        CheckConstraint("provider BETWEEN 1 AND 2", name="provider"),
        CheckConstraint("state BETWEEN 1 AND 7", name="state"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("applied_amount BETWEEN 0 AND amount", name="applied"),
        CheckConstraint("refunded_amount BETWEEN 0 AND amount", name="refunded"),
        Index(
            "wrtn_payments_underway_key",
            "tenant_id",
            "invoice_id",
            unique=True,
            postgresql_where=text("state IN (1, 2)"),
        ),
        Index("wrtn_payments_provider_payment_key", "provider", "provider_payment_id", unique=True),
        Index("wrtn_payments_check_time_idx", "check_time", postgresql_where=text("check_time IS NOT NULL")),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider: Mapped[int] = mapped_column(SmallInteger)
    """A wrtn.billing.v1.PaymentProvider."""
    provider_payment_id: Mapped[str | None]
    """Stripe's PaymentIntent, or the bank's transaction; null until it is known."""
    state: Mapped[int] = mapped_column(SmallInteger)
    """A wrtn.billing.v1.Payment.State."""
    amount: Mapped[Decimal]
    currency: Mapped[str]
    invoice_id: Mapped[UUID | None]
    applied_amount: Mapped[Decimal]
    """What the invoice took; the rest became credits."""
    refunded_amount: Mapped[Decimal]
    """What is given back, or on its way; a refund that failed gives it up."""
    payment_method_id: Mapped[UUID | None]
    automatic: Mapped[bool]
    failure: Mapped[str]
    check_time: Mapped[datetime | None]
    """When the provider is asked next what became of it; null once it has ended."""
    checks: Mapped[int]
    """How often it was asked."""
    version: Mapped[int]
    create_time: Mapped[datetime]
    update_time: Mapped[datetime]


class Refund(Base):
    """Money that is given back."""

    __tablename__ = "wrtn_refunds"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "payment_id"], ["wrtn_payments.tenant_id", "wrtn_payments.id"]),
        CheckConstraint("state BETWEEN 1 AND 3", name="state"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("least(credits, debt) >= 0 AND credits + debt <= amount", name="credits"),
        Index("wrtn_refunds_provider_refund_key", "tenant_id", "provider_refund_id", unique=True),
        Index("wrtn_refunds_check_time_idx", "check_time", postgresql_where=text("check_time IS NOT NULL")),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    payment_id: Mapped[UUID]
    provider_refund_id: Mapped[str | None]
    state: Mapped[int] = mapped_column(SmallInteger)
    """A wrtn.billing.v1.Refund.State."""
    amount: Mapped[Decimal]
    credits: Mapped[Decimal] = mapped_column(server_default="0")
    """What was taken back of the credits that the payment bought; one that failed has given it up."""
    debt: Mapped[Decimal] = mapped_column(server_default="0")
    """What should have been, and was spent already: it is owed."""
    check_time: Mapped[datetime | None]
    checks: Mapped[int]
    create_time: Mapped[datetime]
    update_time: Mapped[datetime]


class Dispute(Base):
    """A payment that who paid contests at their bank. Its lock is that of the payment."""

    __tablename__ = "wrtn_disputes"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "payment_id"], ["wrtn_payments.tenant_id", "wrtn_payments.id"]),
        CheckConstraint("state IN (3, 6, 7)", name="state"),
        CheckConstraint("amount > 0", name="amount"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_dispute_id: Mapped[str] = mapped_column(primary_key=True)
    payment_id: Mapped[UUID]
    state: Mapped[int] = mapped_column(SmallInteger)
    """The wrtn.billing.v1.Payment.State of the payment by it: disputed, succeeded again, or lost."""
    amount: Mapped[Decimal]
    create_time: Mapped[datetime]
    update_time: Mapped[datetime]


class PaymentCustomer(Base):
    """Under which id the card provider knows a tenant."""

    __tablename__ = "wrtn_payment_customers"
    __table_args__ = (Index("wrtn_payment_customers_id_key", "customer_id", unique=True),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    customer_id: Mapped[str]
    create_time: Mapped[datetime]


class PaymentMethod(Base):
    """A saved card."""

    __tablename__ = "wrtn_payment_methods"
    __table_args__ = (
        CheckConstraint("detach_time IS NULL OR delete_time IS NOT NULL", name="detach_time"),
        CheckConstraint("NOT is_default OR delete_time IS NULL", name="is_default"),
        Index("wrtn_payment_methods_provider_method_key", "tenant_id", "provider_method_id", unique=True),
        Index(
            "wrtn_payment_methods_default_key",
            "tenant_id",
            unique=True,
            postgresql_where=text("is_default"),
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_method_id: Mapped[str]
    card: Mapped[bytes]
    """Brand, last digits and end, as a wrtn.billing.v1.PaymentMethod under the tenant's key."""
    is_default: Mapped[bool]
    create_time: Mapped[datetime]
    delete_time: Mapped[datetime | None]
    detach_time: Mapped[datetime | None]
    """When the provider has forgotten it, too."""
