"""Identities at other providers, sign-ins that have begun there, and the connections of enterprises."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models.base import Base


class FederatedIdentity(Base):
    """An identity at a provider that a member signs in by."""

    __tablename__ = "wrtn_federated_identities"
    __table_args__ = (
        ForeignKeyConstraint(["member_id"], ["wrtn_members.id"]),
        Index("wrtn_federated_identities_newest_idx", "member_id", "create_time", "id"),
    )

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider_id: Mapped[str]
    """The name of a configured provider; of an enterprise's, the connection's id."""
    tenant_id: Mapped[UUID | None]
    """The enterprise whose single sign-on it is."""
    issuer: Mapped[str]
    subject: Mapped[bytes]
    """Encrypted."""
    email: Mapped[bytes]
    """The address as the provider told it when it was linked, encrypted; it may be empty."""
    create_time: Mapped[datetime]


class FederatedSubject(Base):
    """The directory of linked identities: its key makes each one member's."""

    __tablename__ = "wrtn_federated_subjects"
    __table_args__ = (
        ForeignKeyConstraint(
            ["member_id", "identity_id"],
            ["wrtn_federated_identities.member_id", "wrtn_federated_identities.id"],
            ondelete="CASCADE",
        ),
        Index("wrtn_federated_subjects_member_idx", "member_id", "identity_id"),
    )

    subject_hash: Mapped[bytes] = mapped_column(primary_key=True)
    """The keyed hash of realm, issuer and subject."""
    member_id: Mapped[UUID]
    identity_id: Mapped[UUID]


class FederatedFlow(Base):
    """A sign-in, or a link, that has begun at a provider. Nobody can complete it out of this row alone."""

    __tablename__ = "wrtn_federated_flows"
    __table_args__ = (Index("wrtn_federated_flows_expire_idx", "expire_time"),)

    state_hash: Mapped[bytes] = mapped_column(primary_key=True)
    binding_hash: Mapped[bytes]
    provider_id: Mapped[str]
    tenant_id: Mapped[UUID | None]
    """The enterprise whose single sign-on it is."""
    link_member_id: Mapped[UUID | None]
    """The member to link the identity to; null for a sign-in."""
    redirect_uri: Mapped[str]
    expire_time: Mapped[datetime]


class SingleSignOn(Base):
    """The connection to an enterprise's own OpenID provider."""

    __tablename__ = "wrtn_single_sign_ons"
    __table_args__ = (UniqueConstraint("id"),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID]
    display_name: Mapped[str]
    issuer: Mapped[str]
    client_id: Mapped[str]
    client_secret: Mapped[bytes]
    """Encrypted under the enterprise's key."""
    link_employees: Mapped[bool]
    create_time: Mapped[datetime]
    update_time: Mapped[datetime]
