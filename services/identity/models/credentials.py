"""Service credentials and the keys that sign tokens."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models.base import Base


class CredentialKind(StrEnum):
    """How a credential is used: exchanged for tokens, or sent itself."""

    CREDENTIAL = "CREDENTIAL"
    API_KEY = "API_KEY"


class ServiceCredential(Base):
    """A credential of a program. The tenant PLATFORM has those that reach everywhere."""

    __tablename__ = "wrtn_service_credentials"
    __table_args__ = (
        UniqueConstraint("id"),
        Index("wrtn_service_credentials_newest_idx", "tenant_id", "create_time", "id"),
        CheckConstraint("kind IN ('CREDENTIAL', 'API_KEY')", name="kind"),
        CheckConstraint("(old_secret_hash IS NULL) = (old_secret_expire_time IS NULL)", name="old_secret"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    display_name: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    secret_hash: Mapped[bytes]
    """Of the secret, or of the whole API key."""
    old_secret_hash: Mapped[bytes | None]
    old_secret_expire_time: Mapped[datetime | None]
    """The secret before the last rotation, and until when it is good."""
    ending: Mapped[str]
    """The last characters of an API key; empty for a credential."""
    version: Mapped[int]
    create_time: Mapped[datetime]
    expire_time: Mapped[datetime | None]
    last_use_time: Mapped[datetime | None]
    revoke_time: Mapped[datetime | None]


class ApiKey(Base):
    """An API key of a member. It stands for a login on one account."""

    __tablename__ = "wrtn_api_keys"
    __table_args__ = (
        ForeignKeyConstraint(["member_id"], ["wrtn_members.id"]),
        UniqueConstraint("member_id", "key_hash"),
        Index("wrtn_api_keys_newest_idx", "member_id", "create_time", "id"),
    )

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    """Of the account, which is whose matter the key is."""
    account_id: Mapped[UUID]
    display_name: Mapped[bytes]
    """Encrypted."""
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    key_hash: Mapped[bytes]
    ending: Mapped[str]
    """The last characters of the key."""
    version: Mapped[int]
    create_time: Mapped[datetime]
    expire_time: Mapped[datetime | None]
    last_use_time: Mapped[datetime | None]
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
