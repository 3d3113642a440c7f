"""Budgets, their periods and changes."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Numeric,
    SmallInteger,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from services.billing.models.base import Base


class _Terms:
    """What of a budget can be changed."""

    amount: Mapped[Decimal]
    thresholds: Mapped[list[Decimal]] = mapped_column(ARRAY(Numeric()))
    """Percentages of the amount, ascending."""
    soft: Mapped[bool]
    requests_per_minute: Mapped[int]
    tokens_per_minute: Mapped[int] = mapped_column(BigInteger)
    """No bound where it is 0."""


class Budget(_Terms, Base):
    """A limit of spending for a target, a resource and a period; one at a time."""

    __tablename__ = "wrtn_budgets"
    __table_args__ = (
        CheckConstraint("period BETWEEN 1 AND 4", name="period"),
        CheckConstraint("amount >= 0", name="amount"),
        Index(
            "wrtn_budgets_target_key",
            "tenant_id",
            "team_id",
            "employee_id",
            "resource",
            "period",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("archive_time IS NULL"),
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    team_id: Mapped[UUID | None]
    employee_id: Mapped[UUID | None]
    resource: Mapped[str]
    """Empty for everything."""
    period: Mapped[int] = mapped_column(SmallInteger)
    """A wrtn.billing.v1.BudgetPeriod."""
    currency: Mapped[str]
    version: Mapped[int] = mapped_column(BigInteger)
    create_time: Mapped[datetime]
    update_time: Mapped[datetime]
    archive_time: Mapped[datetime | None]


class BudgetChange(_Terms, Base):
    """What a budget was after one change. Insert-only."""

    __tablename__ = "wrtn_budget_changes"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "budget_id"], ["wrtn_budgets.tenant_id", "wrtn_budgets.id"]),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    budget_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    archived: Mapped[bool]
    decider_member_id: Mapped[UUID]
    reason: Mapped[bytes | None]
    """Encrypted under the enterprise's key; None if nothing was said."""
    create_time: Mapped[datetime]


class BudgetPeriodRow(Base):
    """What is spent and reserved of a budget in one period. Its row is the lock of every admission."""

    __tablename__ = "wrtn_budget_periods"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "budget_id"], ["wrtn_budgets.tenant_id", "wrtn_budgets.id"]),
        CheckConstraint("reserved >= 0", name="reserved"),
        CheckConstraint("end_time > start_time", name="end"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    budget_id: Mapped[UUID] = mapped_column(primary_key=True)
    start_time: Mapped[datetime] = mapped_column(primary_key=True)
    end_time: Mapped[datetime | None]
    spent: Mapped[Decimal]
    reserved: Mapped[Decimal]
    requests: Mapped[float]
    tokens: Mapped[float]
    """How much of the rates of a minute is used, as of `drain_time`: both drain away evenly."""
    drain_time: Mapped[datetime]


class BudgetNotice(Base):
    """A threshold reached in a period, or the first refusal (threshold 0): told once. Insert-only."""

    __tablename__ = "wrtn_budget_notices"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "budget_id"], ["wrtn_budgets.tenant_id", "wrtn_budgets.id"]),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    budget_id: Mapped[UUID] = mapped_column(primary_key=True)
    start_time: Mapped[datetime] = mapped_column(primary_key=True)
    threshold: Mapped[Decimal] = mapped_column(primary_key=True)
    create_time: Mapped[datetime]
