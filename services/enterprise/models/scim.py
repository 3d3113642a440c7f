"""What directories have provisioned by SCIM, beside the employees and teams that it stands for."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, ForeignKeyConstraint, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from services.enterprise.models.base import Base


class ScimUser(Base):
    """What a directory says of an employee. Hashes are keyed, of the texts without case."""

    __tablename__ = "wrtn_scim_users"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "employee_id"], ["wrtn_employees.tenant_id", "wrtn_employees.id"]),
        Index("wrtn_scim_users_user_name_key", "user_name_hash", "tenant_id", unique=True),
        Index(None, "external_id_hash", "tenant_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    employee_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_name_hash: Mapped[bytes]
    external_id_hash: Mapped[bytes | None]
    display_name_hash: Mapped[bytes | None]
    email_hashes: Mapped[list[bytes]] = mapped_column(ARRAY(LargeBinary))
    work_email_hashes: Mapped[list[bytes]] = mapped_column(ARRAY(LargeBinary))
    sealed: Mapped[bytes]
    """The attributes as JSON, encrypted under the enterprise's key."""
    create_time: Mapped[datetime]
    update_time: Mapped[datetime]


class ScimGroup(Base):
    """A team that a directory keeps. Its name and its companions are the team's."""

    __tablename__ = "wrtn_scim_groups"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "team_id"], ["wrtn_teams.tenant_id", "wrtn_teams.id"]),
        Index("wrtn_scim_groups_external_id_key", "external_id", "tenant_id", unique=True),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    team_id: Mapped[UUID] = mapped_column(primary_key=True)
    external_id: Mapped[str | None]
    create_time: Mapped[datetime]
    update_time: Mapped[datetime]
