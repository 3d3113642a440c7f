"""Transfers of accounts."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models.base import Base


class TransferState(StrEnum):
    """The states of a transfer; the README draws how they follow on each other."""

    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    DECIDED = "DECIDED"


class AccountTransfer(Base):
    """An account on its way to another member, or gone there. One of an account is pending at most."""

    __tablename__ = "wrtn_account_transfers"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "account_id"], ["wrtn_accounts.tenant_id", "wrtn_accounts.id"]),
        Index(
            "wrtn_account_transfers_pending_key",
            "tenant_id",
            "account_id",
            unique=True,
            postgresql_where=text("state = 'PENDING'"),
        ),
        Index("wrtn_account_transfers_account_idx", "tenant_id", "account_id", "create_time", "id"),
        Index("wrtn_account_transfers_holder_idx", "holder_member_id"),
        Index("wrtn_account_transfers_receiver_idx", "receiver_member_id", "create_time", "id"),
        CheckConstraint("(state = 'PENDING') = (end_time IS NULL)", name="end"),
        CheckConstraint("holder_member_id <> receiver_member_id", name="receiver"),
        CheckConstraint(
            "state IN ('PENDING', 'ACCEPTED', 'DECLINED', 'CANCELLED', 'EXPIRED', 'DECIDED')", name="state"
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    state: Mapped[str]
    holder_member_id: Mapped[UUID]
    """Who held the account when it was offered; nobody else loses it by this transfer."""
    receiver_member_id: Mapped[UUID]
    decider_member_id: Mapped[UUID | None]
    """Who offered or decided it; null for the enterprise service itself."""
    version: Mapped[int]
    create_time: Mapped[datetime]
    expire_time: Mapped[datetime | None]
    """Null for a decision of the enterprise."""
    end_time: Mapped[datetime | None]
