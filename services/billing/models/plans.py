"""Plans and subscriptions."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from services.billing.models.base import Base


class Plan(Base):
    """A plan; global. Its terms are those of its versions."""

    __tablename__ = "wrtn_plans"
    __table_args__ = (Index("wrtn_plans_key_key", "key", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str]
    version: Mapped[int] = mapped_column(BigInteger)
    """The newest."""
    archive_time: Mapped[datetime | None]


class PlanVersion(Base):
    """What a version of a plan says; global and insert-only."""

    __tablename__ = "wrtn_plan_versions"
    __table_args__ = (ForeignKeyConstraint(["plan_id"], ["wrtn_plans.id"]),)

    plan_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    terms: Mapped[bytes]
    """A wrtn.billing.v1.PlanTerms."""
    create_time: Mapped[datetime]


class _Subscribed:
    """What of a subscription changes from phase to phase."""

    state: Mapped[int] = mapped_column(SmallInteger)
    """A wrtn.billing.v1.Subscription.State."""
    plan_id: Mapped[UUID]
    plan_version: Mapped[int] = mapped_column(BigInteger)
    seats: Mapped[int]
    discount: Mapped[Decimal]
    """In percent, on fees."""


class Subscription(_Subscribed, Base):
    """The subscription of a tenant as it stands; one that is not canceled at a time."""

    __tablename__ = "wrtn_subscriptions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["plan_id", "plan_version"], ["wrtn_plan_versions.plan_id", "wrtn_plan_versions.version"]
        ),
        CheckConstraint("state BETWEEN 1 AND 4", name="state"),
        CheckConstraint("discount BETWEEN 0 AND 100", name="discount"),
        CheckConstraint("state <> 1 OR trial_end_time IS NOT NULL", name="trial"),
        Index("wrtn_subscriptions_one_key", "tenant_id", unique=True, postgresql_where=text("state <> 4")),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    currency: Mapped[str]
    start_time: Mapped[datetime]
    trial_end_time: Mapped[datetime | None]
    cancel_time: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(BigInteger)


class SubscriptionPhase(_Subscribed, Base):
    """What a subscription was from `start_time` until the next. Insert-only; invoices follow from it."""

    __tablename__ = "wrtn_subscription_phases"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "subscription_id"], ["wrtn_subscriptions.tenant_id", "wrtn_subscriptions.id"]
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    subscription_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    start_time: Mapped[datetime]
