"""How long things are kept: the retention of an enterprise, and what is held by law."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.sessions.models.base import Base


class Retention(Base):
    """How long an enterprise keeps sessions, in days; `keep_days` 0 is for ever."""

    __tablename__ = "wrtn_retentions"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    keep_days: Mapped[int]
    deleted_days: Mapped[int]
    update_time: Mapped[datetime]


class PlanRetention(Base):
    """How many days the plan of an enterprise lets sessions be kept, as billing told last; 0 for no limit."""

    __tablename__ = "wrtn_plan_retentions"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    days: Mapped[int]
    start_time: Mapped[datetime]
    """When the subscription started. An older one, or an older version of it, changes nothing."""
    version: Mapped[int] = mapped_column(BigInteger)


class LegalHold(Base):
    """A hold on one session, or on all of an account. It lasts until it is released."""

    __tablename__ = "wrtn_legal_holds"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    chat_session_id: Mapped[UUID | None]
    account_id: Mapped[UUID | None]
    reason: Mapped[bytes]
    create_member_id: Mapped[UUID]
    create_time: Mapped[datetime]
    release_time: Mapped[datetime | None]
    __table_args__ = (
        Index(
            "wrtn_legal_holds_lasting_idx",
            "tenant_id",
            "create_time",
            "id",
            postgresql_where=text("release_time IS NULL"),
        ),
    )
