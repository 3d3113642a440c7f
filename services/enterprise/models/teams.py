"""Teams and their companions."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
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
