"""Members and their addresses."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models.base import Base


class MemberState(StrEnum):
    """The states of a member; the README draws how they follow on each other."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    CLOSED = "CLOSED"
    ERASED = "ERASED"


class Member(Base):
    """A person. Their own scope alone sees the row."""

    __tablename__ = "wrtn_members"
    __table_args__ = (
        Index("wrtn_members_pending_idx", "create_time", postgresql_where=text("state = 'PENDING'")),
        CheckConstraint("state IN ('PENDING', 'ACTIVE', 'SUSPENDED', 'CLOSED', 'ERASED')", name="state"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[str]
    display_name: Mapped[bytes]
    """Encrypted."""
    password_hash: Mapped[str]
    """Argon2id, in the PHC string format; empty for who has signed in by another provider alone."""
    locale: Mapped[str]
    time_zone: Mapped[str]
    staff_right: Mapped[int]
    """A wrtn.access.v1.StaffRight."""
    version: Mapped[int]
    create_time: Mapped[datetime]
    activate_time: Mapped[datetime | None]
    phone: Mapped[bytes | None]
    """In the format E.164, encrypted."""
    close_time: Mapped[datetime | None]


class Avatar(Base):
    """The small picture of a member."""

    __tablename__ = "wrtn_avatars"
    __table_args__ = (ForeignKeyConstraint(["member_id"], ["wrtn_members.id"]),)

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    media_type: Mapped[str]
    image: Mapped[bytes]
    """Encrypted."""
    create_time: Mapped[datetime]


class Email(Base):
    """An address that a member claims, or has proven."""

    __tablename__ = "wrtn_emails"
    __table_args__ = (
        ForeignKeyConstraint(["member_id"], ["wrtn_members.id"]),
        UniqueConstraint("member_id", "address_hash"),
        Index("wrtn_emails_primary_key", "member_id", unique=True, postgresql_where=text("is_primary")),
    )

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    address: Mapped[bytes]
    """Encrypted."""
    address_hash: Mapped[bytes]
    """The keyed hash of the normalised address."""
    is_primary: Mapped[bool]
    verify_time: Mapped[datetime | None]
    create_time: Mapped[datetime]


class VerifiedAddress(Base):
    """The directory of proven addresses: its key makes each unique over all members."""

    __tablename__ = "wrtn_verified_addresses"
    __table_args__ = (
        ForeignKeyConstraint(["member_id", "email_id"], ["wrtn_emails.member_id", "wrtn_emails.id"]),
    )

    address_hash: Mapped[bytes] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    email_id: Mapped[UUID]


class EmailVerification(Base):
    """A token that was mailed to prove an address, as its hash; kept for a day, to count mails."""

    __tablename__ = "wrtn_email_verifications"
    __table_args__ = (Index("wrtn_email_verifications_expire_time_idx", "expire_time"),)

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    email_id: Mapped[UUID]
    expire_time: Mapped[datetime]
    use_time: Mapped[datetime | None]
    create_time: Mapped[datetime]
