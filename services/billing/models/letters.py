"""Letters that identity is to send."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.billing.models.base import Base


class Letter(Base):
    """A letter to a member that identity has not taken yet; it goes once it has."""

    __tablename__ = "wrtn_letters"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    template: Mapped[str]
    """One of identity's (services/identity/mail/templates)."""
    fills: Mapped[dict[str, str]] = mapped_column(JSONB)
    """What the template fills in, by name."""
    create_time: Mapped[datetime]
