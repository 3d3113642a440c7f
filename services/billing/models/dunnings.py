"""Invoices that are past due, and whether a tenant is told of as overdue."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from services.billing.models.base import Base


class Dunning(Base):
    """How far the dunning of an invoice has come."""

    __tablename__ = "wrtn_dunnings"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "invoice_id"], ["wrtn_invoices.tenant_id", "wrtn_invoices.id"]),
        CheckConstraint("end_time IS NULL OR next_time IS NULL", name="end_time"),
        Index("wrtn_dunnings_running_idx", "tenant_id", postgresql_where=text("end_time IS NULL")),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    invoice_id: Mapped[UUID] = mapped_column(primary_key=True)
    steps: Mapped[int] = mapped_column(SmallInteger)
    """How many steps of the schedule are done."""
    due_time: Mapped[datetime]
    next_time: Mapped[datetime | None]
    """When the next step is due; null after the last."""
    overdue: Mapped[bool]
    """Whether the grace is over."""
    create_time: Mapped[datetime]
    end_time: Mapped[datetime | None]
    """When the invoice was not to be paid any more."""


class PaymentStanding(Base):
    """What others were told last of how a tenant pays."""

    __tablename__ = "wrtn_payment_standings"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    overdue: Mapped[bool]
    version: Mapped[int] = mapped_column(BigInteger)
    """Counts the changes, for the events: an older one that comes later says nothing."""
