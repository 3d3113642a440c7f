"""Wallets: credits in lots, what calls under way hold of them, and every change that was made."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.billing.models.base import Base


class LotKind(StrEnum):
    """How credits came into a wallet."""

    PURCHASE = "PURCHASE"
    BONUS = "BONUS"
    GRANT = "GRANT"


class Wallet(Base):
    """The one wallet of a tenant. The lock of all of it is the row of the tenant's ledger."""

    __tablename__ = "wrtn_wallets"
    __table_args__ = (
        CheckConstraint("balance >= 0", name="balance"),
        CheckConstraint("top_up_threshold >= 0 AND top_up_amount > 0", name="top_up"),
        CheckConstraint("(top_up_threshold IS NULL) = (top_up_amount IS NULL)", name="top_up_whole"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    currency: Mapped[str]
    balance: Mapped[Decimal]
    """What its lots have left; the database refuses to commit anything else."""
    prepaid: Mapped[bool]
    """Whether calls that it does not cover are refused."""
    top_up_threshold: Mapped[Decimal | None]
    top_up_amount: Mapped[Decimal | None]
    version: Mapped[int] = mapped_column(BigInteger)
    """Of what people set."""
    create_time: Mapped[datetime]
    update_time: Mapped[datetime]


class WalletLot(Base):
    """Credits that came together. They burn by priority, expiry and age."""

    __tablename__ = "wrtn_wallet_lots"
    __table_args__ = (
        CheckConstraint("kind IN ('PURCHASE', 'BONUS', 'GRANT')", name="kind"),
        CheckConstraint("remaining BETWEEN 0 AND amount", name="remaining"),
        CheckConstraint("refunded BETWEEN 0 AND amount - remaining", name="refunded"),
        UniqueConstraint("tenant_id", "posting_id", name="wrtn_wallet_lots_posting_key"),
        Index(
            "wrtn_wallet_lots_burn_idx",
            "tenant_id",
            "priority",
            "expire_time",
            "sequence",
            postgresql_where=text("remaining > 0"),
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    """Its age: the lower, the older."""
    kind: Mapped[str]
    amount: Mapped[Decimal]
    remaining: Mapped[Decimal]
    refunded: Mapped[Decimal]
    priority: Mapped[int]
    """The lower ones burn first."""
    expire_time: Mapped[datetime | None]
    posting_id: Mapped[UUID]
    """The posting that credited it."""
    create_time: Mapped[datetime]


class WalletHold(Base):
    """What held reservations take of a wallet. Locked after reservations, before periods of budgets."""

    __tablename__ = "wrtn_wallet_holds"
    __table_args__ = (CheckConstraint("reserved >= 0", name="reserved"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    reserved: Mapped[Decimal]


class WalletChange(Base):
    """A change of a wallet or one of its lots, as a trigger saw it. Insert-only, by it alone."""

    __tablename__ = "wrtn_wallet_changes"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    lot_id: Mapped[UUID | None]
    """The lot; None for the wallet itself."""
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    database_role: Mapped[str]
    create_time: Mapped[datetime]


class WalletNotice(Base):
    """The first refusal since credits last came into a wallet: told once. Insert-only."""

    __tablename__ = "wrtn_wallet_notices"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    start_time: Mapped[datetime] = mapped_column(primary_key=True)
    """When credits had last come, or when the wallet was made."""
    create_time: Mapped[datetime]


class AccountTenure(Base):
    """From when a member held an account: until the next tenure of it began. Insert-only."""

    __tablename__ = "wrtn_account_tenures"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    """Of the account, by which tenures follow one another."""
    member_id: Mapped[UUID]
    start_time: Mapped[datetime]
