"""Logins and their refresh tokens."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models.base import Base


class LoginEnd(StrEnum):
    """Why a login ended."""

    SIGNED_OUT = "SIGNED_OUT"
    TOKEN_REUSED = "TOKEN_REUSED"  # noqa: S105 - a reason, no token
    REPLACED = "REPLACED"
    """A newer login took its place: there are five at most."""
    ENDED = "ENDED"
    """The member ended it from elsewhere."""
    PASSWORD_CHANGED = "PASSWORD_CHANGED"  # noqa: S105 - a reason, no password
    PASSWORD_RESET = "PASSWORD_RESET"  # noqa: S105
    MEMBER_CLOSED = "MEMBER_CLOSED"
    MEMBER_ERASED = "MEMBER_ERASED"


class LoginMethod(StrEnum):
    """How a member proved who they are."""

    PASSWORD = "PASSWORD"  # noqa: S105 - a method, no password
    TOTP = "TOTP"
    RECOVERY_CODE = "RECOVERY_CODE"
    PASSKEY = "PASSKEY"
    FEDERATED = "FEDERATED"


class Login(Base):
    """A signed-in device: the family of its refresh tokens."""

    __tablename__ = "wrtn_logins"
    __table_args__ = (
        ForeignKeyConstraint(["member_id"], ["wrtn_members.id"]),
        CheckConstraint("(end_time IS NULL) = (end_reason IS NULL)", name="end"),
        Index("wrtn_logins_expire_idx", text("LEAST(expire_time, end_time)")),
    )

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    """The account that acts, unless the next refresh names another."""
    methods: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    """What was proven when it was opened, LoginMethod each."""
    connection_id: Mapped[UUID | None]
    """The connection of single sign-on that opened it."""
    connection_tenant_id: Mapped[UUID | None]
    """The enterprise to which that connection belongs."""
    device: Mapped[bytes | None]
    address: Mapped[bytes | None]
    """What the client said that it is, and its address, both at the last use; encrypted."""
    last_use_time: Mapped[datetime]
    """When it was opened, or its refresh token last exchanged."""
    expire_time: Mapped[datetime]
    """When the youngest refresh token expires."""
    end_time: Mapped[datetime | None]
    end_reason: Mapped[str | None]
    version: Mapped[int]
    create_time: Mapped[datetime]


class RefreshToken(Base):
    """One refresh token of a login, as its hash; kept after its use, so that a second use is noticed."""

    __tablename__ = "wrtn_refresh_tokens"
    __table_args__ = (
        ForeignKeyConstraint(["member_id", "login_id"], ["wrtn_logins.member_id", "wrtn_logins.id"]),
        Index("wrtn_refresh_tokens_login_idx", "member_id", "login_id"),
        Index("wrtn_refresh_tokens_expire_idx", "expire_time"),
    )

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    login_id: Mapped[UUID]
    expire_time: Mapped[datetime]
    use_time: Mapped[datetime | None]
    retry_hash: Mapped[bytes | None]
    """By which an honest retry of its use is known: the hash of the idempotency key and the account."""
    create_time: Mapped[datetime]
