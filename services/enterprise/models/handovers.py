"""Handovers, and who holds which account."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from services.enterprise.models.base import Base


class HandoverState(IntEnum):
    """Drawn in the README. The numbers are those of the proto."""

    PENDING = 1
    DONE = 2
    REFUSED = 3


class Handover(Base):
    """The passing of one account of a dismissed employee; its id is that of identity's transfer."""

    __tablename__ = "wrtn_handovers"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "employee_id"], ["wrtn_employees.tenant_id", "wrtn_employees.id"]),
        ForeignKeyConstraint(
            ["tenant_id", "successor_employee_id"], ["wrtn_employees.tenant_id", "wrtn_employees.id"]
        ),
        CheckConstraint("state BETWEEN 1 AND 3", name="state"),
        Index(None, "tenant_id", "employee_id", "id"),
        Index(None, "tenant_id", postgresql_where=text("state = 1")),
        Index(
            "wrtn_handovers_pending_idx",
            "tenant_id",
            "account_id",
            unique=True,
            postgresql_where=text("state = 1"),
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    employee_id: Mapped[UUID]
    account_id: Mapped[UUID]
    successor_employee_id: Mapped[UUID]
    decider_member_id: Mapped[UUID]
    state: Mapped[int] = mapped_column(SmallInteger)
    """A HandoverState."""
    create_time: Mapped[datetime]
    update_time: Mapped[datetime]


class AccountHolder(Base):
    """Who holds an account that has changed hands, as identity tells; of the others, employees say."""

    __tablename__ = "wrtn_account_holders"
    __table_args__ = (Index(None, "member_id", "tenant_id"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    version: Mapped[int] = mapped_column(BigInteger)
    """The version of the account in the newest event heard."""
