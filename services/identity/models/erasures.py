"""Archives of personal data, and certificates of its end."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models.base import Base


class Export(Base):
    """An archive that a member may download. What it holds is in the blob of this id, under their key."""

    __tablename__ = "wrtn_exports"
    __table_args__ = (Index("wrtn_exports_expire_idx", "expire_time"),)

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The operation that made it."""
    size: Mapped[int] = mapped_column(BigInteger())
    create_time: Mapped[datetime]
    expire_time: Mapped[datetime]


class ErasureCertificate(Base):
    """What was destroyed of a member. Never altered nor removed; it holds ids and numbers alone."""

    __tablename__ = "wrtn_erasure_certificates"
    __table_args__ = (Index("wrtn_erasure_certificates_newest_idx", "create_time", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The erasure."""
    member_id: Mapped[UUID]
    document: Mapped[str]
    """JSON."""
    hash: Mapped[bytes]
    """SHA-256."""
    create_time: Mapped[datetime]
