"""Service credentials and the keys that sign tokens."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Index,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models.base import Base


class ServiceCredential(Base):
    """A credential of a program. The tenant PLATFORM has those that reach everywhere."""

    __tablename__ = "wrtn_service_credentials"
    __table_args__ = (
        UniqueConstraint("id"),
        Index("wrtn_service_credentials_newest_idx", "tenant_id", "create_time", "id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    display_name: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    secret_hash: Mapped[bytes]
    version: Mapped[int]
    create_time: Mapped[datetime]
    revoke_time: Mapped[datetime | None]


class SigningKey(Base):
    """A key that signs access tokens; the next generation follows it."""

    __tablename__ = "wrtn_signing_keys"
    __table_args__ = (UniqueConstraint("kid"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    generation: Mapped[int] = mapped_column(primary_key=True)
    kid: Mapped[str]
    public_key: Mapped[str]
    """The public key, base64url: the `x` of its JWK."""
    private_key: Mapped[bytes]
    """The private key, encrypted."""
    activate_time: Mapped[datetime]
    """From when it signs. It is published before, so that every service knows it by then."""
    create_time: Mapped[datetime]
