"""Requests for more budget, and the extras that were approved."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from services.billing.models.base import Base


class BudgetIncrease(Base):
    """A request for more of a budget, one open at a time for an employee and budget."""

    __tablename__ = "wrtn_budget_increases"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "budget_id"], ["wrtn_budgets.tenant_id", "wrtn_budgets.id"]),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("state BETWEEN 1 AND 4", name="state"),
        Index(
            "wrtn_budget_increases_open_key",
            "tenant_id",
            "budget_id",
            "employee_id",
            unique=True,
            postgresql_where=text("state = 1"),
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    budget_id: Mapped[UUID]
    employee_id: Mapped[UUID]
    member_id: Mapped[UUID]
    amount: Mapped[Decimal]
    end_time: Mapped[datetime]
    reason: Mapped[bytes]
    """Encrypted under the enterprise's key, as is `decision_reason`."""
    state: Mapped[int] = mapped_column(SmallInteger)
    """A wrtn.billing.v1.BudgetIncrease.State."""
    decider_member_id: Mapped[UUID | None]
    decision_reason: Mapped[bytes | None]
    create_time: Mapped[datetime]
    decide_time: Mapped[datetime | None]


class BudgetExtra(Base):
    """What an approved increase adds to a budget between two times. Insert-only."""

    __tablename__ = "wrtn_budget_extras"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "id"], ["wrtn_budget_increases.tenant_id", "wrtn_budget_increases.id"]
        ),
        ForeignKeyConstraint(["tenant_id", "budget_id"], ["wrtn_budgets.tenant_id", "wrtn_budgets.id"]),
        CheckConstraint("amount > 0", name="amount"),
        Index("wrtn_budget_extras_end_time_idx", "tenant_id", "budget_id", "end_time"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The increase's."""
    budget_id: Mapped[UUID]
    amount: Mapped[Decimal]
    start_time: Mapped[datetime]
    end_time: Mapped[datetime]
    decider_member_id: Mapped[UUID]
