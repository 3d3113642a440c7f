"""Invitations, and the directory by which their addresses' owners find them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, SmallInteger, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.enterprise.models.base import Base


class InvitationState(StrEnum):
    """The states of an invitation; the README draws how they follow on each other."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"


class Invitation(Base):
    """An invitation; of an address and an enterprise one is open at most."""

    __tablename__ = "wrtn_invitations"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["wrtn_enterprises.tenant_id"]),
        ForeignKeyConstraint(
            ["tenant_id", "inviter_employee_id"], ["wrtn_employees.tenant_id", "wrtn_employees.id"]
        ),
        CheckConstraint("state IN ('OPEN', 'ACCEPTED', 'DECLINED', 'REVOKED', 'EXPIRED')", name="state"),
        CheckConstraint("title BETWEEN 1 AND 3", name="title"),
        Index(
            "wrtn_invitations_open_key",
            "address_hash",
            "tenant_id",
            unique=True,
            postgresql_where=text("state = 'OPEN'"),
        ),
        Index(None, "tenant_id", "inviter_employee_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    address: Mapped[bytes]
    """Encrypted under the enterprise's key."""
    address_hash: Mapped[bytes]
    """The keyed hash by which the address is found."""
    title: Mapped[int] = mapped_column(SmallInteger)
    places: Mapped[list[dict[str, str | int]]] = mapped_column(JSONB)
    """Of each place `team_id` and `role`."""
    inviter_employee_id: Mapped[UUID]
    inviter_member_id: Mapped[UUID]
    state: Mapped[str]
    token_hash: Mapped[bytes]
    mails: Mapped[int]
    mail_time: Mapped[datetime]
    expire_time: Mapped[datetime]
    employee_id: Mapped[UUID | None]
    version: Mapped[int]
    create_time: Mapped[datetime]
    end_time: Mapped[datetime | None]


class InvitedAddress(Base):
    """The directory of open invitations by address. It belongs to no tenant."""

    __tablename__ = "wrtn_invited_addresses"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "invitation_id"], ["wrtn_invitations.tenant_id", "wrtn_invitations.id"]
        ),
        Index(None, "address_hash"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    invitation_id: Mapped[UUID] = mapped_column(primary_key=True)
    address_hash: Mapped[bytes]
