"""The tables of billing."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Identity,
    Index,
    MetaData,
    SmallInteger,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from chassis.database import models


class Base(models.Base):
    """The base of this service's tables."""

    __abstract__ = True
    metadata = MetaData(naming_convention=models.NAMES)


class Price(Base):
    """What the tokens of a model cost from a moment on. Insert-only and global."""

    __tablename__ = "wrtn_prices"
    __table_args__ = (
        UniqueConstraint("model", "effective_time", "revision", name="wrtn_prices_model_key"),
        UniqueConstraint("sequence", name="wrtn_prices_sequence_key"),
        CheckConstraint(
            "least(input_per_million, cached_input_per_million, output_per_million) >= 0", name="amounts"
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    """The order in which entries were added; what a process has not read yet lies above."""
    model: Mapped[str]
    effective_time: Mapped[datetime]
    revision: Mapped[int]
    """Of several entries from the same moment the greatest counts: a future price can be announced anew."""
    currency: Mapped[str]
    input_per_million: Mapped[Decimal]
    cached_input_per_million: Mapped[Decimal]
    output_per_million: Mapped[Decimal]
    tiers: Mapped[list[Any]] = mapped_column(JSONB)
    windows: Mapped[list[Any]] = mapped_column(JSONB)
    source: Mapped[str]
    create_time: Mapped[datetime]


class Usage(Base):
    """One rated usage with its whole attribution. Insert-only."""

    __tablename__ = "wrtn_usages"
    __table_args__ = (Index("wrtn_usages_use_time_idx", "tenant_id", "use_time"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    history_id: Mapped[UUID] = mapped_column(primary_key=True)
    chat_session_id: Mapped[UUID]
    account_id: Mapped[UUID]
    member_id: Mapped[UUID]
    employee_id: Mapped[UUID | None]
    team_id: Mapped[UUID | None]
    ancestor_team_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))
    path_id: Mapped[UUID]
    """The TeamPath of the team and its ancestors at that moment."""
    title: Mapped[int] = mapped_column(SmallInteger)
    role: Mapped[int] = mapped_column(SmallInteger)
    model: Mapped[str]
    input_tokens: Mapped[int] = mapped_column(BigInteger)
    cached_input_tokens: Mapped[int] = mapped_column(BigInteger)
    output_tokens: Mapped[int] = mapped_column(BigInteger)
    reasoning_tokens: Mapped[int] = mapped_column(BigInteger)
    accepted_prediction_tokens: Mapped[int] = mapped_column(BigInteger)
    rejected_prediction_tokens: Mapped[int] = mapped_column(BigInteger)
    price_id: Mapped[UUID | None]
    """The price that set the cost; null if the model had none."""
    cost: Mapped[Decimal]
    currency: Mapped[str]
    use_time: Mapped[datetime]
    create_time: Mapped[datetime]


class TeamPath(Base):
    """A team with the teams above it, the nearest first, as usages were attributed. Insert-only."""

    __tablename__ = "wrtn_team_paths"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    team_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))


class _Sums:
    """What is summed up of usages."""

    cost: Mapped[Decimal]
    usage_count: Mapped[int] = mapped_column(BigInteger)
    unpriced_count: Mapped[int] = mapped_column(BigInteger)
    input_tokens: Mapped[int] = mapped_column(BigInteger)
    cached_input_tokens: Mapped[int] = mapped_column(BigInteger)
    output_tokens: Mapped[int] = mapped_column(BigInteger)


class CostDay(_Sums, Base):
    """The usages of a UTC day by model: of one team path, or of all where the part is the tenant."""

    __tablename__ = "wrtn_cost_days"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    part_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)


class AccountCostDay(_Sums, Base):
    """The usages of a UTC day by account, team path and model."""

    __tablename__ = "wrtn_account_cost_days"
    __table_args__ = (Index("wrtn_account_cost_days_day_idx", "tenant_id", "day", "part_id"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    part_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)


class Ledger(Base):
    """A tenant's ledger: its currency, and the sequence of its last entry. Its row is the ledger's lock."""

    __tablename__ = "wrtn_ledgers"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    currency: Mapped[str]
    last_sequence: Mapped[int] = mapped_column(BigInteger)


class LedgerBalance(Base):
    """The sum of all amounts of one ledger account."""

    __tablename__ = "wrtn_ledger_balances"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    ledger_account: Mapped[str] = mapped_column(primary_key=True)
    balance: Mapped[Decimal]


class LedgerEntry(Base):
    """One line of a posting. Insert-only; the database refuses postings that do not sum to zero."""

    __tablename__ = "wrtn_ledger_entries"
    __table_args__ = (UniqueConstraint("tenant_id", "sequence", name="wrtn_ledger_entries_sequence_key"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    posting_id: Mapped[UUID]
    sequence: Mapped[int] = mapped_column(BigInteger)
    ledger_account: Mapped[str]
    amount: Mapped[Decimal]
    balance: Mapped[Decimal]
    currency: Mapped[str]
    create_time: Mapped[datetime]
