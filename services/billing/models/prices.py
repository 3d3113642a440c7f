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
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.billing.models.base import Base


class Price(Base):
    """What the tokens of a model cost from a moment on, one of our own until its end. Global.

    Entries are never altered; the database lets one of our own end earlier, and nothing else be changed.
    """

    __tablename__ = "wrtn_prices"
    __table_args__ = (
        Index(
            "wrtn_prices_model_key",
            "model",
            "effective_time",
            "revision",
            unique=True,
            postgresql_where=text("NOT own"),
        ),
        UniqueConstraint("sequence", name="wrtn_prices_sequence_key"),
        CheckConstraint(
            """least(input_per_million, cached_input_per_million, output_per_million, cache_write_per_million,
            reasoning_per_million, per_request, per_image, per_second) >= 0""",
            name="amounts",
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
    cache_write_per_million: Mapped[Decimal | None]
    """Null where such tokens cost what input does."""
    reasoning_per_million: Mapped[Decimal | None]
    """Null where such tokens cost what output does."""
    per_request: Mapped[Decimal]
    per_image: Mapped[Decimal]
    per_second: Mapped[Decimal]
    tiers: Mapped[list[Any]] = mapped_column(JSONB)
    windows: Mapped[list[Any]] = mapped_column(JSONB)
    source: Mapped[str]
    own: Mapped[bool]
    """Whether an administrator set it; it goes before imported ones while it counts."""
    end_time: Mapped[datetime | None]
    """Until when one of our own counts, exclusive."""
    create_time: Mapped[datetime]


class UnpricedModel(Base):
    """A model that was used without a price: who keeps prices was told of it. Global."""

    __tablename__ = "wrtn_unpriced_models"

    model: Mapped[str] = mapped_column(primary_key=True)
    create_time: Mapped[datetime]
