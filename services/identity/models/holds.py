"""The holds on members, and the record of them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models.base import Base


class HoldAction(StrEnum):
    """What was done with a hold."""

    PLACED = "PLACED"
    LIFTED = "LIFTED"


class Hold(Base):
    """A reason for which a member is held back now."""

    __tablename__ = "wrtn_holds"
    __table_args__ = (ForeignKeyConstraint(["member_id"], ["wrtn_members.id"]),)

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(primary_key=True)
    """A wrtn.identity.v1.Hold.Reason, without its prefix."""
    create_time: Mapped[datetime]


class Suspension(Base):
    """A hold that was placed or lifted. Never altered nor removed."""

    __tablename__ = "wrtn_suspensions"
    __table_args__ = (
        ForeignKeyConstraint(["member_id"], ["wrtn_members.id"]),
        Index("wrtn_suspensions_newest_idx", "member_id", "create_time", "id"),
        CheckConstraint("action IN ('PLACED', 'LIFTED')", name="action"),
    )

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    action: Mapped[str]
    reason: Mapped[str]
    note: Mapped[bytes]
    """What the decider wrote, encrypted under the member's key."""
    decider_member_id: Mapped[UUID]
    create_time: Mapped[datetime]
