"""What reconciliation need not sum again."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlalchemy.dialects.postgresql import JSONB
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


class BookDifference(Base):
    """By what the books of a tenant differ, as it was told last; gone once they agree."""

    __tablename__ = "wrtn_book_differences"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    differences: Mapped[dict[str, str]] = mapped_column(JSONB)
    """Of each book that differs from the ledger, by how much, as decimal numbers."""
    tell_time: Mapped[datetime]
