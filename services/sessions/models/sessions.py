"""Sessions: the conversations with models, and the runs of procedures."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.sessions.models.base import Base


class SessionKind(StrEnum):
    """The kinds of sessions. They are recorded, kept and shown alike."""

    CHAT = "chat_session"
    PROCEDURE = "procedure_session"


def _counter() -> Mapped[int]:
    return mapped_column(BigInteger, server_default=text("0"))


class Session(Base):
    """A session of either kind, the end of its sequence, and the sum of the usage of its histories.

    The row is what every append locks and moves: sequence and sums are exact at each commit. Its table and
    the columns that refer to it are named after the first kind: the version before knows no other names.
    """

    __tablename__ = "wrtn_chat_sessions"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    opener_member_id: Mapped[UUID]
    model: Mapped[str]
    """Empty for a procedure session that names none."""
    procedure_id: Mapped[UUID | None]
    procedure_version: Mapped[int | None]
    team_id: Mapped[UUID | None]
    title: Mapped[bytes | None]
    create_time: Mapped[datetime]
    update_time: Mapped[datetime]
    last_activity_time: Mapped[datetime]
    delete_time: Mapped[datetime | None]
    purge_time: Mapped[datetime | None]
    """When the purge of a deleted session began. From then on nothing brings it back."""
    purged: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether its purge is done."""
    favourite: Mapped[bool] = mapped_column(server_default=text("false"))
    version: Mapped[int] = mapped_column(server_default=text("1"))
    """The version of the aggregate in its events."""
    last_sequence: Mapped[int] = _counter()
    input_total: Mapped[int] = _counter()
    input_cached: Mapped[int] = _counter()
    output_total: Mapped[int] = _counter()
    output_reasoning: Mapped[int] = _counter()
    output_accepted_prediction: Mapped[int] = _counter()
    output_rejected_prediction: Mapped[int] = _counter()
    __table_args__ = (
        Index(
            "wrtn_chat_sessions_activity_idx",
            "tenant_id",
            "account_id",
            "last_activity_time",
            "id",
            postgresql_where=text("delete_time IS NULL"),
        ),
        Index(
            "wrtn_chat_sessions_procedures_idx",
            "tenant_id",
            "account_id",
            "last_activity_time",
            "id",
            postgresql_where=text("delete_time IS NULL AND procedure_id IS NOT NULL"),
        ),
        Index(
            "wrtn_chat_sessions_team_idx",
            "team_id",
            "tenant_id",
            "create_time",
            "id",
            postgresql_where=text("delete_time IS NULL"),
        ),
        Index(
            "wrtn_chat_sessions_creation_idx",
            "tenant_id",
            "create_time",
            "id",
            postgresql_where=text("delete_time IS NULL"),
        ),
        Index(
            "wrtn_chat_sessions_purge_idx",
            "tenant_id",
            "delete_time",
            "id",
            postgresql_where=text("delete_time IS NOT NULL AND NOT purged"),
        ),
    )

    @property
    def kind(self) -> SessionKind:
        """Which kind it is: one with a procedure is a procedure session."""
        return SessionKind.CHAT if self.procedure_id is None else SessionKind.PROCEDURE
