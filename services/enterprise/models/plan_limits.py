"""What the plan of an enterprise limits."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.enterprise.models.base import Base


class PlanLimit(Base):
    """How many there may be, as billing told last; 0 for no limit."""

    __tablename__ = "wrtn_plan_limits"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["wrtn_enterprises.tenant_id"]),)

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    employees: Mapped[int]
    teams: Mapped[int]
    start_time: Mapped[datetime]
    """When the subscription started. An older one, or an older version of it, changes nothing."""
    version: Mapped[int] = mapped_column(BigInteger)
