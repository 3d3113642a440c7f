"""The price list."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Identity,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.billing.models.base import Base


class Price(Base):
    """What the tokens of a model cost from a moment on. Insert-only and global."""

    __tablename__ = "wrtn_prices"
    __table_args__ = (
        UniqueConstraint("model", "effective_time", "revision", name="wrtn_prices_model_key"),
        UniqueConstraint("sequence", name="wrtn_prices_sequence_key"),
        CheckConstraint(
            "least(input_per_million, cached_input_per_million, output_per_million) >= 0", name="amounts"
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    """The order in which entries were added; what a process has not read yet lies above."""
    model: Mapped[str]
    effective_time: Mapped[datetime]
    revision: Mapped[int]
    """Of several entries from the same moment the greatest counts: a future price can be announced anew."""
    currency: Mapped[str]
    input_per_million: Mapped[Decimal]
    cached_input_per_million: Mapped[Decimal]
    output_per_million: Mapped[Decimal]
    tiers: Mapped[list[Any]] = mapped_column(JSONB)
    windows: Mapped[list[Any]] = mapped_column(JSONB)
    source: Mapped[str]
    create_time: Mapped[datetime]
