"""What became of the rows of imports."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.enterprise.models.base import Base


class ImportOutcome(StrEnum):
    """What became of a row."""

    VALID = "VALID"
    INVITED = "INVITED"
    CHANGED = "CHANGED"
    UNCHANGED = "UNCHANGED"
    FAILED = "FAILED"


class ImportRow(Base):
    """What became of one row. It holds no personal data: the number finds the row in the file."""

    __tablename__ = "wrtn_import_rows"
    __table_args__ = (
        CheckConstraint("outcome IN ('VALID', 'INVITED', 'CHANGED', 'UNCHANGED', 'FAILED')", name="outcome"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    operation_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Of the row in the file, whose header is row 1."""
    outcome: Mapped[str]
    reason: Mapped[str]
    """Of what was refused; empty otherwise."""
    column_name: Mapped[str]
    message: Mapped[str]
    create_time: Mapped[datetime]
