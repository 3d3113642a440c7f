"""Logins and their refresh tokens."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models.base import Base


class LoginEnd(StrEnum):
    """Why a login ended."""

    SIGNED_OUT = "SIGNED_OUT"
    TOKEN_REUSED = "TOKEN_REUSED"  # noqa: S105 - a reason, no token


class Login(Base):
    """A signed-in device: the family of its refresh tokens."""

    __tablename__ = "wrtn_logins"
    __table_args__ = (
        ForeignKeyConstraint(["member_id"], ["wrtn_members.id"]),
        CheckConstraint("(end_time IS NULL) = (end_reason IS NULL)", name="end"),
    )

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    """The account that acts, unless the next refresh names another."""
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
    )

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    login_id: Mapped[UUID]
    expire_time: Mapped[datetime]
    use_time: Mapped[datetime | None]
    create_time: Mapped[datetime]
