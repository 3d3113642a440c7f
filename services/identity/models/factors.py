"""Second factors: authenticator apps, recovery codes, and sign-ins that wait for one."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKeyConstraint, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models.base import Base


class FactorState(StrEnum):
    """The states of an authenticator app's secret."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"


class TotpFactor(Base):
    """The secret that a member's authenticator app shares with us (RFC 6238)."""

    __tablename__ = "wrtn_totp_factors"
    __table_args__ = (
        ForeignKeyConstraint(["member_id"], ["wrtn_members.id"]),
        CheckConstraint("state IN ('PENDING', 'ACTIVE')", name="state"),
    )

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    secret: Mapped[bytes]
    """Encrypted."""
    state: Mapped[str]
    last_step: Mapped[int]
    """The half minute, since 1970, of the last code that was used: none before it is good any more."""
    create_time: Mapped[datetime]


class RecoveryCode(Base):
    """A code for who lost the authenticator app, as its keyed hash; good for one use."""

    __tablename__ = "wrtn_recovery_codes"
    __table_args__ = (ForeignKeyConstraint(["member_id"], ["wrtn_members.id"]),)

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    code_hash: Mapped[bytes] = mapped_column(primary_key=True)
    use_time: Mapped[datetime | None]
    create_time: Mapped[datetime]


class SignInChallenge(Base):
    """A sign-in whose first factor was right and that waits for the second one."""

    __tablename__ = "wrtn_sign_in_challenges"
    __table_args__ = (
        ForeignKeyConstraint(["member_id"], ["wrtn_members.id"]),
        Index("wrtn_sign_in_challenges_expire_idx", "expire_time"),
    )

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    methods: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    """What was proven, LoginMethod each."""
    device_hash: Mapped[bytes | None]
    """The known device on which it was proven."""
    account_id: Mapped[UUID | None]
    """The account to act by, if not the member's own."""
    connection_id: Mapped[UUID | None]
    connection_tenant_id: Mapped[UUID | None]
    """Of a sign-in by an enterprise's provider, as in logins."""
    expire_time: Mapped[datetime]
    create_time: Mapped[datetime]
