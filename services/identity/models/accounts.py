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
            postgresql_where=text("kind = 'PERSONAL' AND NOT inherited"),
        ),
        Index("wrtn_accounts_opened_idx", "tenant_id", "create_time", "id"),
        CheckConstraint("(kind = 'PERSONAL') = (tenant_id = id)", name="tenant"),
        CheckConstraint("kind IN ('PERSONAL', 'ENTERPRISE')", name="kind"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    code: Mapped[str]
    holder_member_id: Mapped[UUID]
    inherited: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether the holder has it by a transfer. Everybody has one personal account of their own."""
    version: Mapped[int]
    create_time: Mapped[datetime]


class HoldingCause(StrEnum):
    """Why a member began to hold an account."""

    OPENED = "OPENED"
    ACCEPTED = "ACCEPTED"
    DECIDED = "DECIDED"


class AccountHolding(Base):
    """Since when a member held an account, until the next one did. Never altered nor removed."""

    __tablename__ = "wrtn_account_holdings"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "account_id"], ["wrtn_accounts.tenant_id", "wrtn_accounts.id"]),
        ForeignKeyConstraint(
            ["tenant_id", "transfer_id"], ["wrtn_account_transfers.tenant_id", "wrtn_account_transfers.id"]
        ),
        Index("wrtn_account_holdings_holder_idx", "holder_member_id"),
        CheckConstraint("(cause = 'OPENED') = (transfer_id IS NULL)", name="transfer"),
        CheckConstraint("cause IN ('OPENED', 'ACCEPTED', 'DECIDED')", name="cause"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    """From 1 without gaps."""
    holder_member_id: Mapped[UUID]
    cause: Mapped[str]
    transfer_id: Mapped[UUID | None]
    start_time: Mapped[datetime]
