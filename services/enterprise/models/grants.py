"""Grants, defaults, the record of their changes, requests for rights, and visibility."""

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
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from services.enterprise.models.base import Base


class Grant(Base):
    """What is set for a resource at one place by one layer, once at most."""

    __tablename__ = "wrtn_grants"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["wrtn_enterprises.tenant_id"]),
        ForeignKeyConstraint(["tenant_id", "team_id"], ["wrtn_teams.tenant_id", "wrtn_teams.id"]),
        UniqueConstraint("resource", "team_id", "tenant_id", "layer", postgresql_nulls_not_distinct=True),
        CheckConstraint("effect BETWEEN 1 AND 2", name="effect"),
        CheckConstraint("layer = 1 OR layer = 2 AND effect = 2 AND team_id IS NOT NULL", name="layer"),
        CheckConstraint("NOT locked OR layer = 1 AND effect = 2 AND team_id IS NULL", name="locked"),
        Index(None, "team_id", "tenant_id", "resource", "layer"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    team_id: Mapped[UUID | None]
    resource: Mapped[str]
    effect: Mapped[int] = mapped_column(SmallInteger)
    layer: Mapped[int] = mapped_column(SmallInteger)
    """A wrtn.enterprise.v1.GrantLayer: who set it."""
    locked: Mapped[bool]
    create_time: Mapped[datetime]
    update_time: Mapped[datetime]


class GrantDefault(Base):
    """What holds for a kind of resource where no grant decides."""

    __tablename__ = "wrtn_grant_defaults"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["wrtn_enterprises.tenant_id"]),
        CheckConstraint("effect BETWEEN 1 AND 2", name="effect"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    effect: Mapped[int] = mapped_column(SmallInteger)
    update_time: Mapped[datetime]


class GrantChange(Base):
    """A record of one change of a grant or a default. The database refuses to alter it."""

    __tablename__ = "wrtn_grant_changes"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "team_id"], ["wrtn_teams.tenant_id", "wrtn_teams.id"]),
        ForeignKeyConstraint(
            ["tenant_id", "decider_employee_id"], ["wrtn_employees.tenant_id", "wrtn_employees.id"]
        ),
        UniqueConstraint("tenant_id", "sequence"),
        CheckConstraint("effect_before <> effect_after OR locked_before <> locked_after", name="change"),
        Index(None, "team_id", "tenant_id", "sequence"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    """From 1 without gaps in each enterprise."""
    team_id: Mapped[UUID | None]
    resource: Mapped[str]
    layer: Mapped[int] = mapped_column(SmallInteger)
    effect_before: Mapped[int] = mapped_column(SmallInteger)
    effect_after: Mapped[int] = mapped_column(SmallInteger)
    locked_before: Mapped[bool]
    locked_after: Mapped[bool]
    decider_employee_id: Mapped[UUID]
    grant_request_id: Mapped[UUID | None]
    """The request that was approved by it."""
    reason: Mapped[bytes | None]
    """Encrypted under the enterprise's key; None if nothing was said."""
    create_time: Mapped[datetime]


class GrantRequest(Base):
    """A request for a right; one that is open a person and resource."""

    __tablename__ = "wrtn_grant_requests"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "employee_id"], ["wrtn_employees.tenant_id", "wrtn_employees.id"]),
        ForeignKeyConstraint(
            ["tenant_id", "decider_employee_id"], ["wrtn_employees.tenant_id", "wrtn_employees.id"]
        ),
        ForeignKeyConstraint(["tenant_id", "team_id"], ["wrtn_teams.tenant_id", "wrtn_teams.id"]),
        UniqueConstraint("tenant_id", "sequence"),
        CheckConstraint("state BETWEEN 1 AND 4", name="state"),
        CheckConstraint("(state = 1) = (decide_time IS NULL)", name="decided"),
        Index(
            "wrtn_grant_requests_open_idx",
            "employee_id",
            "resource",
            "tenant_id",
            unique=True,
            postgresql_where=text("state = 1"),
        ),
        Index(None, "employee_id", "tenant_id", "sequence"),
        Index(None, "team_id", "tenant_id", "sequence"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger)
    """The order of the enterprise's requests, without gaps."""
    employee_id: Mapped[UUID]
    team_id: Mapped[UUID | None]
    resource: Mapped[str]
    reason: Mapped[bytes]
    """Encrypted under the enterprise's key, as is the decision's."""
    state: Mapped[int] = mapped_column(SmallInteger)
    """A wrtn.enterprise.v1.GrantRequest.State."""
    decider_employee_id: Mapped[UUID | None]
    decision_reason: Mapped[bytes | None]
    create_time: Mapped[datetime]
    decide_time: Mapped[datetime | None]


class Visibility(Base):
    """Whether owners and managers may read the content of the enterprise's accounts; no row means no."""

    __tablename__ = "wrtn_visibilities"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["wrtn_enterprises.tenant_id"]),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    content_readable: Mapped[bool]
    version: Mapped[int]
    update_time: Mapped[datetime]
