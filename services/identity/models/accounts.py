"""Accounts."""

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


class AccountKind(StrEnum):
    """To whom an account belongs."""

    PERSONAL = "PERSONAL"
    ENTERPRISE = "ENTERPRISE"


class Account(Base):
    """An account. A personal one is its own tenant."""

    __tablename__ = "wrtn_accounts"
    __table_args__ = (
        ForeignKeyConstraint(["holder_member_id"], ["wrtn_members.id"]),
        UniqueConstraint("tenant_id", "code"),
        UniqueConstraint("holder_member_id", "id"),
        Index(
            "wrtn_accounts_personal_key",
            "holder_member_id",
            unique=True,
            postgresql_where=text("kind = 'PERSONAL'"),
        ),
        CheckConstraint("(kind = 'PERSONAL') = (tenant_id = id)", name="tenant"),
        CheckConstraint("kind IN ('PERSONAL', 'ENTERPRISE')", name="kind"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    code: Mapped[str]
    holder_member_id: Mapped[UUID]
    version: Mapped[int]
    create_time: Mapped[datetime]
