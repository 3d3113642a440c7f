"""Reservations."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, DateTime, Index, SmallInteger, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from services.billing.models.base import Base


class ReservationState(StrEnum):
    """The states of a reservation; the README draws how they follow on each other."""

    HELD = "HELD"
    SETTLED = "SETTLED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


class Reservation(Base):
    """An amount held back for a call under way, with whose it is and the periods in which it is held."""

    __tablename__ = "wrtn_reservations"
    __table_args__ = (
        CheckConstraint("state IN ('HELD', 'SETTLED', 'RELEASED', 'EXPIRED')", name="state"),
        CheckConstraint("amount >= 0", name="amount"),
        Index(
            "wrtn_reservations_held_idx",
            "tenant_id",
            "expire_time",
            postgresql_where=text("state = 'HELD'"),
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes]
    """Of the request that made it: the same id with another one is a conflict."""
    state: Mapped[str]
    amount: Mapped[Decimal]
    settled_amount: Mapped[Decimal]
    currency: Mapped[str]
    account_id: Mapped[UUID]
    member_id: Mapped[UUID]
    employee_id: Mapped[UUID | None]
    team_id: Mapped[UUID | None]
    ancestor_team_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))
    title: Mapped[int] = mapped_column(SmallInteger)
    role: Mapped[int] = mapped_column(SmallInteger)
    model: Mapped[str]
    budget_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))
    period_start_times: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)))
    """The period of each budget in which it is held and will be settled, whatever moves meanwhile."""
    wallet_held: Mapped[bool]
    """Whether its amount is also held of the tenant's wallet."""
    expire_time: Mapped[datetime]
    create_time: Mapped[datetime]
    end_time: Mapped[datetime | None]
