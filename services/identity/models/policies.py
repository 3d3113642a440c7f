"""What enterprises ask of a sign-in."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models.base import Base


class SignInPolicy(Base):
    """The sign-in policy of an enterprise. Who holds an account there may read it."""

    __tablename__ = "wrtn_sign_in_policies"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    second_factor_required: Mapped[bool]
    single_sign_on_required: Mapped[bool]
    allowed_ranges: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    """Networks, as ipaddress writes them."""
    session_hours: Mapped[int]
    """0 for no bound."""
    version: Mapped[int]
    update_time: Mapped[datetime]
