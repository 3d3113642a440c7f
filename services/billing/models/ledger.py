"""The ledger."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from services.billing.models.base import Base

BEGINNING = "1970-01-01 00:00:00+00"
"""Before any entry."""


class Ledger(Base):
    """A tenant's ledger: its currency, and the sequence of its last entry. Its row is the ledger's lock."""

    __tablename__ = "wrtn_ledgers"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    currency: Mapped[str]
    last_sequence: Mapped[int] = mapped_column(BigInteger)
    last_time: Mapped[datetime] = mapped_column(server_default=BEGINNING)
    """Of the last entry: a later one is never earlier."""


class Posting(Base):
    """What entries were posted together for. Insert-only; postings of batches of usages have none."""

    __tablename__ = "wrtn_postings"
    __table_args__ = (UniqueConstraint("tenant_id", "reference", name="wrtn_postings_reference_key"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    """A chart.PostingKind."""
    reference: Mapped[str]
    """What it was posted for, told by who posted it; each is posted once."""
    digest: Mapped[bytes]
    """Of its lines, so that the same reference with others is noticed."""
    create_time: Mapped[datetime]


class LedgerBalance(Base):
    """The sum of all amounts of one ledger account."""

    __tablename__ = "wrtn_ledger_balances"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    ledger_account: Mapped[str] = mapped_column(primary_key=True)
    balance: Mapped[Decimal]


class LedgerEntry(Base):
    """One line of a posting. Insert-only; the database refuses postings that do not sum to zero."""

    __tablename__ = "wrtn_ledger_entries"
    __table_args__ = (
        UniqueConstraint("tenant_id", "sequence", name="wrtn_ledger_entries_sequence_key"),
        Index(
            "wrtn_ledger_entries_wallet_idx",
            "tenant_id",
            "create_time",
            "sequence",
            postgresql_where=text("ledger_account = 'wallet'"),
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    posting_id: Mapped[UUID]
    sequence: Mapped[int] = mapped_column(BigInteger)
    ledger_account: Mapped[str]
    amount: Mapped[Decimal]
    balance: Mapped[Decimal]
    currency: Mapped[str]
    create_time: Mapped[datetime]
