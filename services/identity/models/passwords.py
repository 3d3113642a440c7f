"""The tokens that reset passwords."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models.base import Base


class PasswordReset(Base):
    """A token that was mailed to reset a password, as its hash.

    A request for an address that is nobody's has a row as well, of PLATFORM: no mailed token names it.
    """

    __tablename__ = "wrtn_password_resets"
    __table_args__ = (
        Index("wrtn_password_resets_address_idx", "address_hash", "create_time"),
        Index("wrtn_password_resets_expire_time_idx", "expire_time"),
    )

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    address_hash: Mapped[bytes]
    expire_time: Mapped[datetime]
    use_time: Mapped[datetime | None]
    create_time: Mapped[datetime]
