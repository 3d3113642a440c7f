"""Invoices, credit notes and their numbers."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from services.billing.models.base import Base


class Invoice(Base):
    """What a tenant owes for a period. Triggers refuse what would change it once it is finalised."""

    __tablename__ = "wrtn_invoices"
    __table_args__ = (
        CheckConstraint("state BETWEEN 1 AND 5", name="state"),
        CheckConstraint("end_time > start_time", name="end"),
        CheckConstraint("(state = 1) = (number IS NULL)", name="number"),
        CheckConstraint("least(paid, credited) >= 0 AND paid + credited <= greatest(total, 0)", name="due"),
        Index("wrtn_invoices_number_key", "number", unique=True),
        Index(
            "wrtn_invoices_start_time_key",
            "tenant_id",
            "start_time",
            unique=True,
            postgresql_where=text("state <> 4"),
        ),
        Index("wrtn_invoices_due_time_idx", "due_time", postgresql_where=text("state = 2")),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[int] = mapped_column(SmallInteger)
    """A wrtn.billing.v1.Invoice.State."""
    number: Mapped[int | None] = mapped_column(BigInteger)
    """Its place in the one series of all invoices; null for a draft."""
    currency: Mapped[str]
    start_time: Mapped[datetime]
    end_time: Mapped[datetime]
    subtotal: Mapped[Decimal]
    tax_rate: Mapped[Decimal]
    """In percent."""
    tax: Mapped[Decimal]
    reverse_charge: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether the buyer owes the tax to their own tax office."""
    total: Mapped[Decimal]
    paid: Mapped[Decimal]
    credited: Mapped[Decimal]
    net_days: Mapped[int]
    buyer: Mapped[bytes | None]
    """The InvoiceSettings as they were when it was finalised, under the tenant's key."""
    finalize_time: Mapped[datetime | None]
    due_time: Mapped[datetime | None]
    pay_time: Mapped[datetime | None]
    close_time: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(BigInteger)
    create_time: Mapped[datetime]
    update_time: Mapped[datetime]

    @property
    def due(self) -> Decimal:
        """What is left to be paid."""
        return max(self.total, Decimal(0)) - self.paid - self.credited


class _Line:
    """What invoices and credit notes say on a line."""

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[int] = mapped_column(SmallInteger)
    """A wrtn.billing.v1.InvoiceLine.Kind."""
    description: Mapped[str]
    team_id: Mapped[UUID | None]
    model: Mapped[str]
    cost_centre: Mapped[str]
    quantity: Mapped[int] = mapped_column(BigInteger)
    exact_amount: Mapped[Decimal]
    amount: Mapped[Decimal]


class InvoiceLine(_Line, Base):
    """One line of an invoice; of a draft they are written anew."""

    __tablename__ = "wrtn_invoice_lines"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "invoice_id"], ["wrtn_invoices.tenant_id", "wrtn_invoices.id"]),
    )

    invoice_id: Mapped[UUID] = mapped_column(primary_key=True)
    corrected_invoice_id: Mapped[UUID | None]
    """The finalised invoice that a line of KIND_CORRECTION corrects."""
    team_name: Mapped[str] = mapped_column(server_default="")
    """What the team was called; empty if enterprise did not say."""


class CreditNote(Base):
    """What is given back. Insert-only."""

    __tablename__ = "wrtn_credit_notes"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "invoice_id"], ["wrtn_invoices.tenant_id", "wrtn_invoices.id"]),
        CheckConstraint("total > 0 AND tax >= 0", name="total"),
        Index("wrtn_credit_notes_number_key", "number", unique=True),
        Index("wrtn_credit_notes_invoice_idx", "tenant_id", "invoice_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)
    invoice_id: Mapped[UUID | None]
    currency: Mapped[str]
    subtotal: Mapped[Decimal]
    tax: Mapped[Decimal]
    total: Mapped[Decimal]
    reason: Mapped[bytes]
    """Encrypted under the tenant's key."""
    create_time: Mapped[datetime]


class CreditNoteLine(_Line, Base):
    """One line of a credit note. Insert-only."""

    __tablename__ = "wrtn_credit_note_lines"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "credit_note_id"], ["wrtn_credit_notes.tenant_id", "wrtn_credit_notes.id"]
        ),
    )

    credit_note_id: Mapped[UUID] = mapped_column(primary_key=True)


class NumberSeries(Base):
    """The last number of a series. Its row is locked until the commit, so that no number is ever missing."""

    __tablename__ = "wrtn_number_series"

    series: Mapped[str] = mapped_column(primary_key=True)
    last_number: Mapped[int] = mapped_column(BigInteger)


class Closing(Base):
    """Until when a tenant's usage is invoiced for good. Usage of before that comes later is a LateUsage."""

    __tablename__ = "wrtn_closings"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    end_time: Mapped[datetime]
    sequence: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """The ledger's last one up to which burnt credits are in `credits` or on invoices."""
    credits: Mapped[Decimal] = mapped_column(server_default="0")
    """Burnt, and on no invoice yet."""


class InvoiceSettings(Base):
    """What stands on the invoices of a tenant."""

    __tablename__ = "wrtn_invoice_settings"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    details: Mapped[bytes]
    """A wrtn.billing.v1.InvoiceSettings, encrypted under the tenant's key."""
    version: Mapped[int] = mapped_column(BigInteger)
    update_time: Mapped[datetime]


class LateUsage(Base):
    """A usage whose period was closed when it came: invoiced as if used at `bill_time`. Insert-only.

    A trigger of wrtn_usages writes it.
    """

    __tablename__ = "wrtn_late_usages"
    __table_args__ = (Index("wrtn_late_usages_bill_time_idx", "tenant_id", "bill_time"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    history_id: Mapped[UUID] = mapped_column(primary_key=True)
    bill_time: Mapped[datetime]
    """The end of the closed periods, which is where the next one begins."""
