"""The catalogue: procedures and their versions."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from uuid import UUID

from sqlalchemy import BigInteger, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.sessions.models.base import Base

PLATFORM = UUID(int=0)
"""The tenant of the procedures that everybody sees."""


class ProcedureState(IntEnum):
    """What becomes of a procedure, as in the contract."""

    DRAFT = 1
    PUBLISHED = 2
    WITHDRAWN = 3


class Procedure(Base):
    """A procedure of an enterprise, or of the platform. `version` is its newest one."""

    __tablename__ = "wrtn_procedures"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str]
    display_name: Mapped[str]
    description: Mapped[str]
    state: Mapped[int] = mapped_column(SmallInteger)
    version: Mapped[int]
    revision: Mapped[int] = mapped_column(BigInteger)
    """Counts the changes, for etags and the events' aggregate version."""
    create_time: Mapped[datetime]
    update_time: Mapped[datetime]
    __table_args__ = (UniqueConstraint("tenant_id", "code", name="wrtn_procedures_code_key"),)


class ProcedureVersion(Base):
    """The forms of one version, to the letter; without an output schema the text is empty. Insert-only."""

    __tablename__ = "wrtn_procedure_versions"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    procedure_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    input_form: Mapped[str]
    output_schema: Mapped[str]
    create_member_id: Mapped[UUID]
    create_time: Mapped[datetime]
