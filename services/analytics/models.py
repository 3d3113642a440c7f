"""The tables of analytics."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Index, MetaData, SmallInteger, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from chassis.database import models


class Base(models.Base):
    """The base of this service's tables."""

    __abstract__ = True
    metadata = MetaData(naming_convention=models.NAMES)


class CountedUsage(Base):
    """A usage that the rollups count already, by what told of it. Insert-only."""

    __tablename__ = "wrtn_counted_usages"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    history_id: Mapped[UUID] = mapped_column(primary_key=True)
    source: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    """A services.analytics.facts.Source."""


class TeamPath(Base):
    """A team with the teams above it, the nearest first, as usages were attributed. Insert-only."""

    __tablename__ = "wrtn_team_paths"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    team_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))


class _Sums:
    """What is summed up of usages."""

    usage_count: Mapped[int] = mapped_column(BigInteger)
    rated_count: Mapped[int] = mapped_column(BigInteger)
    input_tokens: Mapped[int] = mapped_column(BigInteger)
    cached_input_tokens: Mapped[int] = mapped_column(BigInteger)
    output_tokens: Mapped[int] = mapped_column(BigInteger)
    reasoning_tokens: Mapped[int] = mapped_column(BigInteger)
    accepted_prediction_tokens: Mapped[int] = mapped_column(BigInteger)
    rejected_prediction_tokens: Mapped[int] = mapped_column(BigInteger)
    cost: Mapped[Decimal]


class Rollup(_Sums, Base):
    """The usages of a stretch of time by model: of one team path, or of all where the part is the tenant."""

    __tablename__ = "wrtn_rollups"
    __table_args__ = (Index("wrtn_rollups_start_time_idx", "tenant_id", "grain", "start_time"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    part_id: Mapped[UUID] = mapped_column(primary_key=True)
    grain: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    """A services.analytics.stretches.Grain."""
    start_time: Mapped[datetime] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)


class AccountRollup(_Sums, Base):
    """The usages of a stretch of time by account, employee, team path and model."""

    __tablename__ = "wrtn_account_rollups"
    __table_args__ = (
        Index("wrtn_account_rollups_start_time_idx", "tenant_id", "grain", "start_time", "part_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    grain: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    start_time: Mapped[datetime] = mapped_column(primary_key=True)
    employee_id: Mapped[UUID] = mapped_column(primary_key=True)
    """Who held the account: the member where it is a personal one, zeros if a version before counted it."""
    part_id: Mapped[UUID] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)


class AuditCopy(Base):
    """The copy of an audit entry of some service. Insert-only."""

    __tablename__ = "wrtn_audit_copies"
    __table_args__ = (
        Index("wrtn_audit_copies_newest_idx", "tenant_id", "create_time", "id"),
        Index("wrtn_audit_copies_actor_idx", "actor_id", "create_time"),
        Index("wrtn_audit_copies_target_idx", "target_id", "create_time"),
        Index("wrtn_audit_copies_all_idx", "create_time", "id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    service: Mapped[str]
    action: Mapped[str]
    actor_id: Mapped[UUID | None]
    """The member, or else the credential, who acted."""
    target_id: Mapped[UUID | None]
    create_time: Mapped[datetime]
    entry: Mapped[bytes]
    """The wrtn.audit.v1.AuditEntry."""
