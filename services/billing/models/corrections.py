"""Corrections of what was rated, what they change, and their entries."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Index, SmallInteger, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.billing.models.base import Base


class Correction(Base):
    """A correction, of a price that was wrong or of what had none. Global: administrators keep it."""

    __tablename__ = "wrtn_corrections"
    __table_args__ = (
        CheckConstraint("(price_id IS NULL) = (rates IS NULL)", name="rates"),
        CheckConstraint(
            "price_id IS NULL OR state NOT IN (3, 4) OR decider_member_id <> proposer_member_id",
            name="decider",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[int] = mapped_column(SmallInteger)
    """A wrtn.billing.v1.Correction.State."""
    price_id: Mapped[UUID | None]
    """The price that was wrong; null where usages without a price are rated."""
    rates: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    start_time: Mapped[datetime]
    end_time: Mapped[datetime]
    operation_id: Mapped[UUID]
    proposer_member_id: Mapped[UUID]
    decider_member_id: Mapped[UUID | None]
    create_time: Mapped[datetime]
    """What was rated after it is not corrected."""


class CorrectionDifference(Base):
    """What a correction changes for a team, as its dry run found it; the nil team is none."""

    __tablename__ = "wrtn_correction_differences"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    correction_id: Mapped[UUID] = mapped_column(primary_key=True)
    team_id: Mapped[UUID] = mapped_column(primary_key=True)
    usage_count: Mapped[int] = mapped_column(BigInteger)
    cost: Mapped[Decimal]
    charge: Mapped[Decimal]
    currency: Mapped[str]


class UsageCorrection(Base):
    """A correcting entry: by how much cost and charge of a usage change. Insert-only."""

    __tablename__ = "wrtn_usage_corrections"
    __table_args__ = (Index("wrtn_usage_corrections_use_time_idx", "tenant_id", "use_time"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    history_id: Mapped[UUID] = mapped_column(primary_key=True)
    correction_id: Mapped[UUID] = mapped_column(primary_key=True)
    price_id: Mapped[UUID | None]
    """The price that sets it now; null if the correction itself names the rates."""
    cost: Mapped[Decimal]
    charge: Mapped[Decimal]
    price_rule_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid()))
    exchange_rate_id: Mapped[UUID | None]
    newly_priced: Mapped[int] = mapped_column(SmallInteger)
    """1 if the usage had no price before, else 0."""
    use_time: Mapped[datetime]
    create_time: Mapped[datetime]


class LateCorrection(Base):
    """A correcting entry whose usage was on a finalised invoice already. Insert-only.

    Together with the others of the correction, invoice, team and model it was an increase, and is on the
    invoice of `bill_time`; or a decrease, of which a credit note or credits came back.
    """

    __tablename__ = "wrtn_late_corrections"
    __table_args__ = (Index("wrtn_late_corrections_bill_time_idx", "tenant_id", "bill_time"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    history_id: Mapped[UUID] = mapped_column(primary_key=True)
    correction_id: Mapped[UUID] = mapped_column(primary_key=True)
    invoice_id: Mapped[UUID]
    """The invoice that has the usage; nil for entries from before there was this table."""
    bill_time: Mapped[datetime | None]
    """The end of the closed periods, which is where the next one begins; null for a decrease."""
