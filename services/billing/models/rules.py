"""What is agreed on prices, and the rates of currencies."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.billing.models.base import Base


class PriceRule(Base):
    """An override, a markup or a discount. Those of one kind and model never overlap; one may end earlier.

    The rules of a plan are rows of the platform, which every tenant may read.
    """

    __tablename__ = "wrtn_price_rules"
    __table_args__ = (
        CheckConstraint("percent >= 0 AND (kind <> 'DISCOUNT' OR percent <= 100)", name="percent"),
        CheckConstraint("(kind = 'OVERRIDE') = (rates IS NOT NULL)", name="rates"),
        CheckConstraint("(kind = 'OVERRIDE') = (percent IS NULL)", name="terms"),
        CheckConstraint("end_time >= effective_time", name="end"),
        CheckConstraint(f"(plan_id IS NOT NULL) = (tenant_id = '{UUID(int=0)}')", name="plan"),
        Index("wrtn_price_rules_plan_idx", "plan_id", postgresql_where=text("plan_id IS NOT NULL")),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    plan_id: Mapped[UUID | None]
    kind: Mapped[str]
    """A services.billing.pricing.charging.RuleKind."""
    model: Mapped[str]
    """Empty for all models."""
    percent: Mapped[Decimal | None]
    rates: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    effective_time: Mapped[datetime]
    end_time: Mapped[datetime | None]
    create_time: Mapped[datetime]


class ExchangeRate(Base):
    """What a US dollar is worth in a currency from a moment on. Insert-only and global."""

    __tablename__ = "wrtn_exchange_rates"
    __table_args__ = (
        UniqueConstraint("currency", "effective_time", name="wrtn_exchange_rates_currency_key"),
        UniqueConstraint("sequence", name="wrtn_exchange_rates_sequence_key"),
        CheckConstraint("rate > 0", name="rate"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    """The order in which rates were added; what a process has not read yet lies above."""
    currency: Mapped[str]
    effective_time: Mapped[datetime]
    rate: Mapped[Decimal]
    create_time: Mapped[datetime]
