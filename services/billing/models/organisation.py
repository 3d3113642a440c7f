"""What billing knows of enterprises and accounts, from the events of those who own them.

Each row has the version of the event that wrote it: an older one that comes later changes nothing.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Index, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from services.billing.models.base import Base


class KnownEnterprise(Base):
    """An enterprise and the time zone of its days."""

    __tablename__ = "wrtn_known_enterprises"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    time_zone: Mapped[str]
    version: Mapped[int] = mapped_column(BigInteger)


class KnownCurrency(Base):
    """The currency of an enterprise, for good. The event that tells it may come after later ones."""

    __tablename__ = "wrtn_known_currencies"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    currency: Mapped[str]
    version: Mapped[int] = mapped_column(BigInteger)


class KnownAccount(Base):
    """An account and who holds it."""

    __tablename__ = "wrtn_known_accounts"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    holder_member_id: Mapped[UUID]
    version: Mapped[int] = mapped_column(BigInteger)


class KnownEmployee(Base):
    """An employee; the title is 0 after their dismissal."""

    __tablename__ = "wrtn_known_employees"
    __table_args__ = (Index("wrtn_known_employees_member_key", "tenant_id", "member_id", unique=True),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    employee_id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    title: Mapped[int] = mapped_column(SmallInteger)
    version: Mapped[int] = mapped_column(BigInteger)


class KnownDuties(Base):
    """The duties of a manager, as they were set last; a later change of title ends them."""

    __tablename__ = "wrtn_known_duties"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    employee_id: Mapped[UUID] = mapped_column(primary_key=True)
    duties: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))
    """Each a wrtn.access.v1.Duty."""
    version: Mapped[int] = mapped_column(BigInteger)


class KnownTeam(Base):
    """A team and the one above it."""

    __tablename__ = "wrtn_known_teams"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    team_id: Mapped[UUID] = mapped_column(primary_key=True)
    parent_team_id: Mapped[UUID | None]
    archived: Mapped[bool]
    version: Mapped[int] = mapped_column(BigInteger)


class KnownCompanion(Base):
    """An employee in a team; the role is 0 after their removal."""

    __tablename__ = "wrtn_known_companions"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    employee_id: Mapped[UUID] = mapped_column(primary_key=True)
    team_id: Mapped[UUID] = mapped_column(primary_key=True)
    role: Mapped[int] = mapped_column(SmallInteger)
    version: Mapped[int] = mapped_column(BigInteger)
