"""Domains, and the directory of those that are proven."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.enterprise.models.base import Base


class DomainState(StrEnum):
    """The states of a domain; the README draws how they follow on each other."""

    PENDING = "PENDING"
    VERIFIED = "VERIFIED"
    LOST = "LOST"


class DomainProof(StrEnum):
    """How a domain is proven."""

    DNS = "DNS"
    ADDRESS = "ADDRESS"


class Domain(Base):
    """A domain that an enterprise claims, or has proven. Any number of enterprises may claim one."""

    __tablename__ = "wrtn_domains"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["wrtn_enterprises.tenant_id"]),
        UniqueConstraint("tenant_id", "domain"),
        CheckConstraint("state IN ('PENDING', 'VERIFIED', 'LOST')", name="state"),
        CheckConstraint("proof IN ('DNS', 'ADDRESS')", name="proof"),
        CheckConstraint("(proof = 'ADDRESS') = (prover_account_id IS NOT NULL)", name="prover"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    domain: Mapped[str]
    """In ASCII."""
    token: Mapped[str]
    """What the text record must hold."""
    state: Mapped[str]
    proof: Mapped[str | None]
    prover_account_id: Mapped[UUID | None]
    """The account of the owner by whose address it is proven."""
    verify_time: Mapped[datetime | None]
    check_time: Mapped[datetime | None]
    missing_time: Mapped[datetime | None]
    misses: Mapped[int]
    """How often in a row the proof of a verified domain was not there."""
    version: Mapped[int]
    create_time: Mapped[datetime]


class ProvenDomain(Base):
    """The directory of proven domains: its key makes each one enterprise's in the whole suite."""

    __tablename__ = "wrtn_proven_domains"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "domain_id"], ["wrtn_domains.tenant_id", "wrtn_domains.id"]),
        Index(None, "next_check_time"),
    )

    domain: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    domain_id: Mapped[UUID]
    proof: Mapped[str]
    next_check_time: Mapped[datetime]
