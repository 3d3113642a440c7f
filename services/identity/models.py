"""The tables of identity.

What is personal stands under the member's own key; beside an address stands its keyed hash.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from chassis.database import models
from chassis.database.models import NAMES

PLATFORM = UUID(int=0)
"""The tenant of what belongs to nobody's enterprise: platform-wide credentials and the signing keys."""


class MemberState(StrEnum):
    """The states of a member; the README draws how they follow on each other."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"


class AccountKind(StrEnum):
    """To whom an account belongs."""

    PERSONAL = "PERSONAL"
    ENTERPRISE = "ENTERPRISE"


class LoginEnd(StrEnum):
    """Why a login ended."""

    SIGNED_OUT = "SIGNED_OUT"
    TOKEN_REUSED = "TOKEN_REUSED"  # noqa: S105 - a reason, no token


class MailState(StrEnum):
    """The states of a mail. A refused one stays for an operator to see."""

    QUEUED = "QUEUED"
    SENT = "SENT"
    REFUSED = "REFUSED"


class Base(models.Base):
    """The base of identity's tables."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMES)


class Member(Base):
    """A person. Their own scope alone sees the row."""

    __tablename__ = "wrtn_members"
    __table_args__ = (CheckConstraint("state IN ('PENDING', 'ACTIVE')", name="state"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[str]
    display_name: Mapped[bytes]
    """Encrypted."""
    password_hash: Mapped[str]
    """Argon2id, in the PHC string format."""
    locale: Mapped[str]
    time_zone: Mapped[str]
    staff_right: Mapped[int]
    """A wrtn.access.v1.StaffRight."""
    version: Mapped[int]
    create_time: Mapped[datetime]
    activate_time: Mapped[datetime | None]


class Email(Base):
    """An address that a member claims, or has proven."""

    __tablename__ = "wrtn_emails"
    __table_args__ = (
        ForeignKeyConstraint(["member_id"], ["wrtn_members.id"]),
        Index("wrtn_emails_primary_key", "member_id", unique=True, postgresql_where=text("is_primary")),
    )

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    address: Mapped[bytes]
    """Encrypted."""
    address_hash: Mapped[bytes]
    """The keyed hash of the normalised address."""
    is_primary: Mapped[bool]
    verify_time: Mapped[datetime | None]
    create_time: Mapped[datetime]


class VerifiedAddress(Base):
    """The directory of proven addresses: its key makes each unique over all members."""

    __tablename__ = "wrtn_verified_addresses"
    __table_args__ = (
        ForeignKeyConstraint(["member_id", "email_id"], ["wrtn_emails.member_id", "wrtn_emails.id"]),
    )

    address_hash: Mapped[bytes] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    email_id: Mapped[UUID]


class EmailVerification(Base):
    """A token that was mailed to prove an address, as its hash."""

    __tablename__ = "wrtn_email_verifications"
    __table_args__ = (
        ForeignKeyConstraint(["member_id", "email_id"], ["wrtn_emails.member_id", "wrtn_emails.id"]),
    )

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    email_id: Mapped[UUID]
    expire_time: Mapped[datetime]
    use_time: Mapped[datetime | None]
    create_time: Mapped[datetime]


class Login(Base):
    """A signed-in device: the family of its refresh tokens."""

    __tablename__ = "wrtn_logins"
    __table_args__ = (
        ForeignKeyConstraint(["member_id"], ["wrtn_members.id"]),
        CheckConstraint("(end_time IS NULL) = (end_reason IS NULL)", name="end"),
    )

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    """The account that acts, unless the next refresh names another."""
    expire_time: Mapped[datetime]
    """When the youngest refresh token expires."""
    end_time: Mapped[datetime | None]
    end_reason: Mapped[str | None]
    version: Mapped[int]
    create_time: Mapped[datetime]


class RefreshToken(Base):
    """One refresh token of a login, as its hash; kept after its use, so that a second use is noticed."""

    __tablename__ = "wrtn_refresh_tokens"
    __table_args__ = (
        ForeignKeyConstraint(["member_id", "login_id"], ["wrtn_logins.member_id", "wrtn_logins.id"]),
    )

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    login_id: Mapped[UUID]
    expire_time: Mapped[datetime]
    use_time: Mapped[datetime | None]
    create_time: Mapped[datetime]


class Account(Base):
    """An account. A personal one is its own tenant."""

    __tablename__ = "wrtn_accounts"
    __table_args__ = (
        ForeignKeyConstraint(["holder_member_id"], ["wrtn_members.id"]),
        UniqueConstraint("tenant_id", "code"),
        UniqueConstraint("holder_member_id", "id"),
        Index(
            "wrtn_accounts_personal_key",
            "holder_member_id",
            unique=True,
            postgresql_where=text("kind = 'PERSONAL'"),
        ),
        CheckConstraint("(kind = 'PERSONAL') = (tenant_id = id)", name="tenant"),
        CheckConstraint("kind IN ('PERSONAL', 'ENTERPRISE')", name="kind"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    code: Mapped[str]
    holder_member_id: Mapped[UUID]
    version: Mapped[int]
    create_time: Mapped[datetime]


class StaffAppointment(Base):
    """One change of a member's right as staff. Never altered nor removed."""

    __tablename__ = "wrtn_staff_appointments"
    __table_args__ = (ForeignKeyConstraint(["member_id"], ["wrtn_members.id"]),)

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    """The member's version after the change: the order of a member's appointments."""
    right_before: Mapped[int]
    right_after: Mapped[int]
    decider_member_id: Mapped[UUID | None]
    """Who decided; null for the command line, which whoever runs the service has."""
    create_time: Mapped[datetime]


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


class Mail(Base):
    """A mail on its way, written in the transaction that wants it sent."""

    __tablename__ = "wrtn_mails"
    __table_args__ = (
        Index("wrtn_mails_due_idx", "next_attempt_time", postgresql_where=text("state = 'QUEUED'")),
        CheckConstraint("state IN ('QUEUED', 'SENT', 'REFUSED')", name="state"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    """Under whose key the message is encrypted."""
    message: Mapped[bytes | None]
    """The whole message with its headers, encrypted; null once it is sent."""
    state: Mapped[str]
    attempts: Mapped[int]
    next_attempt_time: Mapped[datetime]
    last_error: Mapped[str | None]
    """The class of the last failure and the server's code; never its text, which may quote the address."""
    send_time: Mapped[datetime | None]
    create_time: Mapped[datetime]


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
