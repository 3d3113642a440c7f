"""The tables. Every one is the tenant's, which is the enterprise: `tenant_id` leads every primary key.

Other indexes that find one row by its id have `tenant_id` last. Where it led them all, a planner that had
no statistics yet took any of them for a tenant's few rows, and read all of a large tenant.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    MetaData,
    SmallInteger,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from chassis.database import models


class Base(models.Base):
    """The tables of this service alone."""

    __abstract__ = True
    metadata = MetaData(naming_convention=models.NAMES)


class Slug(Base):
    """A taken slug. Its key spans all tenants, and row level security hides whose it is."""

    __tablename__ = "wrtn_slugs"
    __table_args__ = (UniqueConstraint("tenant_id", "slug"),)

    slug: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]


class Enterprise(Base):
    """An enterprise; its id is the tenant's."""

    __tablename__ = "wrtn_enterprises"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "slug"], ["wrtn_slugs.tenant_id", "wrtn_slugs.slug"]),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    display_name: Mapped[str]
    slug: Mapped[str]
    time_zone: Mapped[str]
    last_appointment: Mapped[int] = mapped_column(BigInteger)
    """The sequence of the newest appointment. Whoever appoints locks this row first (store.Enterprises)."""
    create_time: Mapped[datetime]


class Employee(Base):
    """A member in an enterprise, once at most."""

    __tablename__ = "wrtn_employees"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["wrtn_enterprises.tenant_id"]),
        UniqueConstraint("member_id", "tenant_id"),
        UniqueConstraint("account_id", "tenant_id"),
        UniqueConstraint("tenant_id", "sequence"),
        CheckConstraint("title BETWEEN 1 AND 3", name="title"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    account_id: Mapped[UUID]
    title: Mapped[int] = mapped_column(SmallInteger)
    """A wrtn.access.v1.Title."""
    sequence: Mapped[int] = mapped_column(BigInteger)
    """The order of employment: the sequence of the appointment by which they were employed."""
    create_time: Mapped[datetime]


class Team(Base):
    """A team. The tree is in `parent_team_id` alone; see docs/decisions/0005-the-team-tree-is-walked.md."""

    __tablename__ = "wrtn_teams"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["wrtn_enterprises.tenant_id"]),
        ForeignKeyConstraint(["tenant_id", "parent_team_id"], ["wrtn_teams.tenant_id", "wrtn_teams.id"]),
        CheckConstraint("parent_team_id <> id", name="parent"),
        Index(None, "parent_team_id", "tenant_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    parent_team_id: Mapped[UUID | None]
    display_name: Mapped[str]
    create_time: Mapped[datetime]


class Companion(Base):
    """An employee in a team, once at most."""

    __tablename__ = "wrtn_companions"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "team_id"], ["wrtn_teams.tenant_id", "wrtn_teams.id"]),
        ForeignKeyConstraint(["tenant_id", "employee_id"], ["wrtn_employees.tenant_id", "wrtn_employees.id"]),
        UniqueConstraint("tenant_id", "team_id", "employee_id"),
        CheckConstraint("role BETWEEN 1 AND 3", name="role"),
        Index(None, "employee_id", "tenant_id"),
        Index(None, "tenant_id", "team_id", "id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    team_id: Mapped[UUID]
    employee_id: Mapped[UUID]
    role: Mapped[int] = mapped_column(SmallInteger)
    """A wrtn.access.v1.Role."""
    version: Mapped[int]
    """Counts the changes, for the events' aggregate version."""
    create_time: Mapped[datetime]


class Appointment(Base):
    """A record of one appointment, of a title or of a role in a team. The database refuses to alter it."""

    __tablename__ = "wrtn_appointments"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "employee_id"], ["wrtn_employees.tenant_id", "wrtn_employees.id"]),
        ForeignKeyConstraint(
            ["tenant_id", "decider_employee_id"], ["wrtn_employees.tenant_id", "wrtn_employees.id"]
        ),
        ForeignKeyConstraint(["tenant_id", "team_id"], ["wrtn_teams.tenant_id", "wrtn_teams.id"]),
        UniqueConstraint("tenant_id", "sequence"),
        CheckConstraint("sequence > 0", name="sequence"),
        CheckConstraint(
            "CASE WHEN team_id IS NULL"
            " THEN title_before <> title_after AND role_before = 0 AND role_after = 0"
            " ELSE role_before <> role_after AND title_before = 0 AND title_after = 0 END",
            name="act",
        ),
        Index(None, "tenant_id", "employee_id", "sequence"),
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
    decider_employee_id: Mapped[UUID]
    reason: Mapped[bytes | None]
    """Encrypted under the enterprise's key; None if nothing was said."""
    create_time: Mapped[datetime]
