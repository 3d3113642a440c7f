"""Letters that identity is to send."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.enterprise.models.base import Base


class Letter(Base):
    """A letter that identity has not taken yet; it goes once it has.

    One to a member holds no personal data. One to an address is sealed.
    """

    __tablename__ = "wrtn_letters"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["wrtn_enterprises.tenant_id"]),
        CheckConstraint("(member_id IS NULL) = (sealed IS NOT NULL)", name="recipient"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID | None]
    template: Mapped[str]
    """One of identity's (services/identity/mail/templates)."""
    fills: Mapped[dict[str, str]] = mapped_column(JSONB)
    """What the template fills in, by name."""
    create_time: Mapped[datetime]
    sealed: Mapped[bytes | None] = mapped_column(default=None)
    """The whole SendMailRequest, under the enterprise's key, instead of member and fills."""
