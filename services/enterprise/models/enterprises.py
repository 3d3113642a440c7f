"""Enterprises and their slugs."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ForeignKeyConstraint,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from services.enterprise.models.base import Base


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
