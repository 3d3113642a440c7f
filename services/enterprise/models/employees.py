"""Employees and their appointments."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from services.enterprise.models.base import Base


class Employee(Base):
    """A member in an enterprise, once at most."""

    __tablename__ = "wrtn_employees"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["wrtn_enterprises.tenant_id"]),
        UniqueConstraint("member_id", "tenant_id"),
        UniqueConstraint("account_id", "tenant_id"),
        UniqueConstraint("tenant_id", "sequence"),
        CheckConstraint("title BETWEEN 0 AND 3", name="title"),
        CheckConstraint("(title = 0) = (dismiss_time IS NOT NULL)", name="dismiss_time"),
        CheckConstraint("duties <@ '{1,2}' AND (duties = '{}' OR title = 2)", name="duties"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    account_id: Mapped[UUID]
    title: Mapped[int] = mapped_column(SmallInteger)
    """A wrtn.access.v1.Title; 0 for one who was dismissed or left."""
    sequence: Mapped[int] = mapped_column(BigInteger)
    """The order of employment: the sequence of the appointment by which they were employed."""
    create_time: Mapped[datetime]
    duties: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger), default=list)
    """Each a wrtn.access.v1.Duty, in order."""
    version: Mapped[int] = mapped_column(default=1)
    """Counts the changes, for the events' aggregate version."""
    dismiss_time: Mapped[datetime | None]


class Appointment(Base):
    """A record of one act on a title, on duties or on a role in a team. The database refuses to alter it."""

    __tablename__ = "wrtn_appointments"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "employee_id"], ["wrtn_employees.tenant_id", "wrtn_employees.id"]),
        ForeignKeyConstraint(
            ["tenant_id", "decider_employee_id"], ["wrtn_employees.tenant_id", "wrtn_employees.id"]
        ),
        ForeignKeyConstraint(["tenant_id", "team_id"], ["wrtn_teams.tenant_id", "wrtn_teams.id"]),
        ForeignKeyConstraint(
            ["tenant_id", "absent_employee_id"], ["wrtn_employees.tenant_id", "wrtn_employees.id"]
        ),
        ForeignKeyConstraint(
            ["tenant_id", "successor_employee_id"], ["wrtn_employees.tenant_id", "wrtn_employees.id"]
        ),
        UniqueConstraint("tenant_id", "sequence"),
        CheckConstraint("sequence > 0", name="sequence"),
        CheckConstraint(
            "CASE WHEN team_id IS NULL"
            " THEN (title_before <> title_after OR duties_before <> duties_after)"
            " AND role_before = 0 AND role_after = 0"
            " ELSE role_before <> role_after AND title_before = 0 AND title_after = 0"
            " AND duties_before = '{}' AND duties_after = '{}' END",
            name="act",
        ),
        CheckConstraint("absent_employee_id IS NOT NULL OR until_time IS NULL", name="deputy"),
        CheckConstraint("num_nonnulls(decider_employee_id, decider_credential_id) = 1", name="decider"),
        Index(None, "tenant_id", "employee_id", "sequence"),
        Index(None, "tenant_id", "team_id", "sequence"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    """From 1 without gaps in each enterprise."""
    employee_id: Mapped[UUID]
    team_id: Mapped[UUID | None]
    title_before: Mapped[int] = mapped_column(SmallInteger)
    title_after: Mapped[int] = mapped_column(SmallInteger)
    role_before: Mapped[int] = mapped_column(SmallInteger)
    role_after: Mapped[int] = mapped_column(SmallInteger)
    duties_before: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger), default=list)
    duties_after: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger), default=list)
    absent_employee_id: Mapped[UUID | None]
    """Of a deputyship: for whom they stand in. Title and role are those that they stand in for."""
    until_time: Mapped[datetime | None]
    successor_employee_id: Mapped[UUID | None]
    decider_employee_id: Mapped[UUID | None]
    decider_credential_id: Mapped[UUID | None]
    """The API key of the enterprise that decided, where no employee did."""
    reason: Mapped[bytes | None]
    """Encrypted under the enterprise's key; None if nothing was said."""
    create_time: Mapped[datetime]
