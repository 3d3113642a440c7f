"""What identity keeps of enterprises."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models.base import Base


class EnterpriseHold(Base):
    """Whether an enterprise is suspended or closed, as enterprise told last."""

    __tablename__ = "wrtn_enterprise_holds"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    held: Mapped[bool]
    version: Mapped[int]
    """The enterprise's version at that time: what arrives late changes nothing."""
