"""Guesses: how often somebody tried, and from which devices the owner did."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models.base import Base


class Guess(Base):
    """The tries of the last minutes against one thing, which the keyed hash does not tell."""

    __tablename__ = "wrtn_guesses"
    __table_args__ = (Index("wrtn_guesses_last_idx", "last_time"),)

    subject_hash: Mapped[bytes] = mapped_column(primary_key=True)
    tries: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)))
    last_time: Mapped[datetime]


class KnownDevice(Base):
    """A device on which the member has signed in before, by the hash of its token."""

    __tablename__ = "wrtn_known_devices"
    __table_args__ = (
        ForeignKeyConstraint(["member_id"], ["wrtn_members.id"]),
        Index("wrtn_known_devices_expire_idx", "expire_time"),
    )

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    expire_time: Mapped[datetime]
    create_time: Mapped[datetime]
