"""Staff, their appointments, and what they open by break-glass."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models.base import PLATFORM, Base


class Staff(Base):
    """A moderator or an administrator, beside the member who is one. The member's row says the same right."""

    __tablename__ = "wrtn_staff"
    __table_args__ = (
        ForeignKeyConstraint(["member_id"], ["wrtn_members.id"]),
        CheckConstraint("staff_right IN (1, 2)", name="right"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    """The platform's."""
    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    staff_right: Mapped[int]
    """A wrtn.access.v1.StaffRight."""
    appoint_time: Mapped[datetime]


class StaffAppointment(Base):
    """One change of a member's right as staff. Never altered nor removed."""

    __tablename__ = "wrtn_staff_appointments"
    __table_args__ = (
        ForeignKeyConstraint(["member_id"], ["wrtn_members.id"]),
        Index("wrtn_staff_appointments_newest_idx", "tenant_id", "create_time", "member_id", "version"),
    )

    tenant_id: Mapped[UUID] = mapped_column(server_default=text(f"'{PLATFORM}'"))
    """The platform's."""
    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    """The member's version after the change: the order of a member's appointments."""
    right_before: Mapped[int]
    right_after: Mapped[int]
    decider_member_id: Mapped[UUID | None]
    """Who decided; null for the command line, which whoever runs the service has."""
    reason: Mapped[bytes | None]
    """Encrypted under the platform's key."""
    create_time: Mapped[datetime]


class BreakGlass(Base):
    """A tenant's content, open to one administrator for a time."""

    __tablename__ = "wrtn_break_glasses"
    __table_args__ = (
        ForeignKeyConstraint(["member_id"], ["wrtn_members.id"]),
        Index("wrtn_break_glasses_newest_idx", "tenant_id", "create_time", "id"),
        CheckConstraint("(close_time IS NULL) = (closer_member_id IS NULL)", name="close"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    """Who opened it, for themself alone."""
    reason: Mapped[bytes]
    """Encrypted under the tenant's key."""
    create_time: Mapped[datetime]
    expire_time: Mapped[datetime]
    close_time: Mapped[datetime | None]
    closer_member_id: Mapped[UUID | None]
