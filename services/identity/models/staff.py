"""The appointments of staff."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ForeignKeyConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models.base import Base


class StaffAppointment(Base):
    """One change of a member's right as staff. Never altered nor removed."""

    __tablename__ = "wrtn_staff_appointments"
    __table_args__ = (ForeignKeyConstraint(["member_id"], ["wrtn_members.id"]),)

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    """The member's version after the change: the order of a member's appointments."""
    right_before: Mapped[int]
    right_after: Mapped[int]
    decider_member_id: Mapped[UUID | None]
    """Who decided; null for the command line, which whoever runs the service has."""
    create_time: Mapped[datetime]
