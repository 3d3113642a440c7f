"""What reconciliation need not sum again."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.billing.models.base import Base


class CheckedPeriod(Base):
    """A period that is over, as its usages were summed last: a month (UTC), or that of an invoice."""

    __tablename__ = "wrtn_checked_periods"
    __table_args__ = (CheckConstraint("book IN ('usages', 'invoices')", name="book"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    book: Mapped[str] = mapped_column(primary_key=True)
    start_time: Mapped[datetime] = mapped_column(primary_key=True)
    said: Mapped[Decimal]
    """What the sums of its days, or the lines of the invoice, said then; it counts while they say so."""
    found: Mapped[Decimal]
    """What its usages came to."""
    check_time: Mapped[datetime]
