"""Passkeys, and the challenges that were answered."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models.base import Base


class Passkey(Base):
    """A passkey of a member (WebAuthn)."""

    __tablename__ = "wrtn_passkeys"
    __table_args__ = (
        ForeignKeyConstraint(["member_id"], ["wrtn_members.id"]),
        UniqueConstraint("member_id", "credential_id"),
    )

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    credential_id: Mapped[bytes]
    """What the authenticator calls it."""
    public_key: Mapped[bytes]
    """In COSE's form."""
    display_name: Mapped[bytes]
    """Encrypted."""
    sign_count: Mapped[int] = mapped_column(BigInteger())
    """What the authenticator counted at the last use; 0 for those that do not count."""
    last_use_time: Mapped[datetime | None]
    create_time: Mapped[datetime]


class AnsweredChallenge(Base):
    """A challenge that was answered and is good no more. None is written before its answer."""

    __tablename__ = "wrtn_answered_challenges"
    __table_args__ = (Index("wrtn_answered_challenges_expire_idx", "expire_time"),)

    challenge_hash: Mapped[bytes] = mapped_column(primary_key=True)
    expire_time: Mapped[datetime]
