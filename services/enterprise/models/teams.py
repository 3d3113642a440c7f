"""Teams and their companions."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from services.enterprise.models.base import Base


class Team(Base):
    """A team. The tree is in `parent_team_id` alone; see docs/decisions/0005-the-team-tree-is-walked.md."""

    __tablename__ = "wrtn_teams"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["wrtn_enterprises.tenant_id"]),
        ForeignKeyConstraint(["tenant_id", "parent_team_id"], ["wrtn_teams.tenant_id", "wrtn_teams.id"]),
        ForeignKeyConstraint(["tenant_id", "archive_team_id"], ["wrtn_teams.tenant_id", "wrtn_teams.id"]),
        CheckConstraint("parent_team_id <> id", name="parent"),
        CheckConstraint("(archive_time IS NULL) = (archive_team_id IS NULL)", name="archive"),
        Index(None, "parent_team_id", "tenant_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    parent_team_id: Mapped[UUID | None]
    display_name: Mapped[str]
    create_time: Mapped[datetime]
    rank: Mapped[int] = mapped_column(BigInteger, default=0)
    """The order among siblings; ids decide between equal ones."""
    version: Mapped[int] = mapped_column(default=1)
    """Counts the changes, for etags and the events' aggregate version."""
    archive_time: Mapped[datetime | None]
    archive_team_id: Mapped[UUID | None]
    """The team with which it was archived, itself or one above; it returns when that one is restored."""


class TeamChange(Base):
    """A record of one change of a team: what it was from then on. The database refuses to alter it."""

    __tablename__ = "wrtn_team_changes"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "team_id"], ["wrtn_teams.tenant_id", "wrtn_teams.id"]),
        ForeignKeyConstraint(["tenant_id", "parent_team_id"], ["wrtn_teams.tenant_id", "wrtn_teams.id"]),
        ForeignKeyConstraint(
            ["tenant_id", "decider_employee_id"], ["wrtn_employees.tenant_id", "wrtn_employees.id"]
        ),
        UniqueConstraint("tenant_id", "sequence"),
        CheckConstraint("kind BETWEEN 1 AND 6", name="kind"),
        Index(None, "tenant_id", "team_id", "sequence"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    """From 1 without gaps in each enterprise."""
    team_id: Mapped[UUID]
    kind: Mapped[int] = mapped_column(SmallInteger)
    """A TeamChange.Kind of the proto."""
    parent_team_id: Mapped[UUID | None]
    display_name: Mapped[str]
    rank: Mapped[int] = mapped_column(BigInteger)
    archived: Mapped[bool]
    decider_employee_id: Mapped[UUID | None]
    """None for what an API key decided, and for what was made before there were records."""
    decider_credential_id: Mapped[UUID | None]
    create_time: Mapped[datetime]


class Companion(Base):
    """An employee in a team, once at most. The row stays when they leave, for them to return to."""

    __tablename__ = "wrtn_companions"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "team_id"], ["wrtn_teams.tenant_id", "wrtn_teams.id"]),
        ForeignKeyConstraint(["tenant_id", "employee_id"], ["wrtn_employees.tenant_id", "wrtn_employees.id"]),
        UniqueConstraint("tenant_id", "team_id", "employee_id"),
        CheckConstraint("role BETWEEN 0 AND 3", name="role"),
        Index(None, "employee_id", "tenant_id"),
        Index(None, "tenant_id", "team_id", "id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    team_id: Mapped[UUID]
    employee_id: Mapped[UUID]
    role: Mapped[int] = mapped_column(SmallInteger)
    """A wrtn.access.v1.Role; 0 for one who is in the team no more."""
    version: Mapped[int]
    """Counts the changes, for the events' aggregate version."""
    create_time: Mapped[datetime]
