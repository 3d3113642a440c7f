"""Rated usages and their sums."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Index,
    SmallInteger,
    Uuid,
)
from sqlalchemy.orm import Mapped, mapped_column

from services.billing.models.base import Base


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
    cache_write_tokens: Mapped[int] = mapped_column(BigInteger)
    requests: Mapped[int] = mapped_column(BigInteger)
    images: Mapped[int] = mapped_column(BigInteger)
    seconds: Mapped[int] = mapped_column(BigInteger)
    price_id: Mapped[UUID | None]
    """The price that set the cost; null if the model had none."""
    cost: Mapped[Decimal]
    """What it cost by the price list."""
    currency: Mapped[str]
    """Of the cost."""
    charge: Mapped[Decimal]
    """What the tenant pays for it."""
    charge_currency: Mapped[str]
    price_rule_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))
    """What of what was agreed set the charge."""
    exchange_rate_id: Mapped[UUID | None]
    use_time: Mapped[datetime]
    create_time: Mapped[datetime]
    reservation_id: Mapped[UUID | None]
    """The reservation that it settled, if its call was authorized."""
    procedure_id: Mapped[UUID | None]
    """The procedure for which it was used, if for one."""


class TeamPath(Base):
    """A team with the teams above it, the nearest first, as usages were attributed. Insert-only."""

    __tablename__ = "wrtn_team_paths"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    team_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))


class _Sums:
    """What is summed up of usages."""

    cost: Mapped[Decimal]
    """By the price list, in its currency."""
    charge: Mapped[Decimal]
    """In the currency of the tenant."""
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


class HolderCostDay(_Sums, Base):
    """The usages of a UTC day by account, who held it, team path and model.

    A trigger of wrtn_usages writes it, so that also the version before adds to it (decision 0082).
    """

    __tablename__ = "wrtn_holder_cost_days"
    __table_args__ = (Index("wrtn_holder_cost_days_day_idx", "tenant_id", "day", "part_id"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    """Who held the account when it was used."""
    part_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(primary_key=True)
