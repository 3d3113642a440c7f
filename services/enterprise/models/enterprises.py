"""Enterprises and their slugs."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from services.enterprise.models.base import Base

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Slug(Base):
    """A taken slug. Its key spans all tenants, and row level security hides whose it is."""

    __tablename__ = "wrtn_slugs"
    __table_args__ = (UniqueConstraint("tenant_id", "slug"),)

    slug: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]


class Enterprise(Base):
    """An enterprise; its id is the tenant's."""

    __tablename__ = "wrtn_enterprises"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "slug"], ["wrtn_slugs.tenant_id", "wrtn_slugs.slug"]),
        CheckConstraint("state BETWEEN 1 AND 3", name="state"),
        CheckConstraint("(state = 3) = (close_time IS NOT NULL)", name="close_time"),
        Index(None, "create_time", "tenant_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    display_name: Mapped[str]
    slug: Mapped[str]
    time_zone: Mapped[str]
    last_appointment: Mapped[int] = mapped_column(BigInteger)
    """The sequence of the newest appointment. Whoever appoints locks this row first (store.Enterprises)."""
    last_grant_change: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    """The sequence of the newest change of a grant, counted under the same lock."""
    last_grant_request: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    """The same of the newest request for a right."""
    create_time: Mapped[datetime]
    locale: Mapped[str] = mapped_column(default="en")
    currency: Mapped[str] = mapped_column(default="USD")
    settings: Mapped[bytes] = mapped_column(default=b"")
    """A serialised wrtn.enterprise.v1.EnterpriseSettings: a new setting needs no migration."""
    logo_etag: Mapped[str] = mapped_column(default="")
    """Names the content of the logo; empty without one."""
    state: Mapped[int] = mapped_column(SmallInteger, default=1)
    """A wrtn.enterprise.v1.EnterpriseState."""
    close_time: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)
    """Counts the changes, for etags and the events' aggregate version."""
    last_team_change: Mapped[int] = mapped_column(BigInteger, default=0)
    """The sequence of the newest change of a team."""
    last_change_time: Mapped[datetime] = mapped_column(default=EPOCH)
    """The time of the newest appointment or change of a team: a later record is never of an earlier time."""


class Logo(Base):
    """The logo of an enterprise."""

    __tablename__ = "wrtn_logos"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["wrtn_enterprises.tenant_id"]),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    content_type: Mapped[str]
    image: Mapped[bytes]


class EnterpriseStateChange(Base):
    """A record of one change of an enterprise's state. The database refuses to alter it."""

    __tablename__ = "wrtn_enterprise_states"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["wrtn_enterprises.tenant_id"]),
        CheckConstraint("state_before <> state_after", name="state"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    state_before: Mapped[int] = mapped_column(SmallInteger)
    state_after: Mapped[int] = mapped_column(SmallInteger)
    cause: Mapped[int] = mapped_column(SmallInteger)
    """A wrtn.enterprise.v1.SuspensionCause; 0 for what is no suspension."""
    decider_member_id: Mapped[UUID | None]
    """None where nobody decided: billing told that it does not pay, or does again."""
    note: Mapped[bytes | None]
    """Encrypted under the enterprise's key; None if nothing was said."""
    create_time: Mapped[datetime]


class PaymentStanding(Base):
    """What billing told last of how an enterprise pays: an older event that comes later changes nothing."""

    __tablename__ = "wrtn_payment_standings"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["wrtn_enterprises.tenant_id"]),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    overdue: Mapped[bool]
    version: Mapped[int] = mapped_column(BigInteger)
