"""How many tokens were used of those that a plan includes at most, and how many calls under way may use."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.billing.models.base import Base


class TokenCount(Base):
    """The tokens of a tenant in one month, counted while a plan limits them; the row that admissions lock."""

    __tablename__ = "wrtn_token_counts"
    __table_args__ = (
        CheckConstraint("end_time > start_time", name="times"),
        CheckConstraint("least(allowed, used) >= 0", name="numbers"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    start_time: Mapped[datetime] = mapped_column(primary_key=True)
    end_time: Mapped[datetime]
    allowed: Mapped[int] = mapped_column(BigInteger)
    """What the plans of the month include, as its invoice will say."""
    used: Mapped[int] = mapped_column(BigInteger)
    refuse_time: Mapped[datetime | None]
    """When the first refusal was told."""


class TokenHold(Base):
    """The tokens that a reservation holds. It is gone when the reservation ends."""

    __tablename__ = "wrtn_token_holds"
    __table_args__ = (CheckConstraint("tokens > 0", name="tokens"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    reservation_id: Mapped[UUID] = mapped_column(primary_key=True)
    tokens: Mapped[int] = mapped_column(BigInteger)
