"""The files of sessions, the pieces in which they are kept, and to which histories they are attached."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from uuid import UUID

from sqlalchemy import BigInteger, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from services.sessions.models.base import Base


class FileState(IntEnum):
    """What becomes of a file; the first two are those of the contract."""

    UPLOADING = 1
    READY = 2
    DELETED = 3


class File(Base):
    """A file of a session, as it was declared. Name and checksum are encrypted, and go when it is deleted."""

    __tablename__ = "wrtn_files"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    chat_session_id: Mapped[UUID]
    state: Mapped[int] = mapped_column(SmallInteger)
    media_type: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(BigInteger)
    display_name: Mapped[bytes | None]
    sha256: Mapped[bytes | None]
    cleared: Mapped[bool] = mapped_column(server_default=text("false"))
    """Whether nothing is left of a deleted file."""
    create_time: Mapped[datetime]
    __table_args__ = (
        Index("wrtn_files_session_idx", "chat_session_id", "tenant_id"),
        Index(
            "wrtn_files_clearing_idx",
            "tenant_id",
            "create_time",
            postgresql_where=text("state <> 2 AND NOT cleared"),
        ),
    )


class FilePiece(Base):
    """A piece of a file: a blob of this id. Without a size while it is being stored."""

    __tablename__ = "wrtn_file_pieces"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    file_id: Mapped[UUID]
    start: Mapped[int] = mapped_column(BigInteger)
    size: Mapped[int | None]
    create_time: Mapped[datetime]
    __table_args__ = (
        Index(
            "wrtn_file_pieces_start_key",
            "tenant_id",
            "file_id",
            "start",
            unique=True,
            postgresql_where=text("size IS NOT NULL"),
        ),
        Index(
            "wrtn_file_pieces_unstored_idx",
            "tenant_id",
            "create_time",
            postgresql_where=text("size IS NULL"),
        ),
    )


class HistoryFile(Base):
    """A file that is attached to a history, in sequence from 1. Insert-only."""

    __tablename__ = "wrtn_history_files"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    history_id: Mapped[UUID] = mapped_column(primary_key=True)
    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    file_id: Mapped[UUID]
