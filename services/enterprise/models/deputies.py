"""Deputies."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from services.enterprise.models.base import Base


class Deputy(Base):
    """An employee who stands in for another, in a team or as a manager of the enterprise, to `end_time`."""

    __tablename__ = "wrtn_deputies"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "employee_id"], ["wrtn_employees.tenant_id", "wrtn_employees.id"]),
        ForeignKeyConstraint(
            ["tenant_id", "absent_employee_id"], ["wrtn_employees.tenant_id", "wrtn_employees.id"]
        ),
        ForeignKeyConstraint(["tenant_id", "team_id"], ["wrtn_teams.tenant_id", "wrtn_teams.id"]),
        CheckConstraint("employee_id <> absent_employee_id", name="self"),
        CheckConstraint(
            "CASE WHEN team_id IS NULL THEN title = 2 AND role = 0 ELSE title = 0 AND role IN (2, 3) END",
            name="right",
        ),
        Index(None, "employee_id", "tenant_id"),
        Index(None, "absent_employee_id", "tenant_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    employee_id: Mapped[UUID]
    absent_employee_id: Mapped[UUID]
    team_id: Mapped[UUID | None]
    title: Mapped[int] = mapped_column(SmallInteger)
    role: Mapped[int] = mapped_column(SmallInteger)
    version: Mapped[int]
    """Counts the changes, for the events' aggregate version."""
    create_time: Mapped[datetime]
    end_time: Mapped[datetime]
    """The day that was set, or when somebody ended it before."""
