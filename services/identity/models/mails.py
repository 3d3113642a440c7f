"""Mails on their way."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Index,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from services.identity.models.base import Base


class MailState(StrEnum):
    """The states of a mail. A refused one stays for an operator to see."""

    QUEUED = "QUEUED"
    SENT = "SENT"
    REFUSED = "REFUSED"


class Mail(Base):
    """A mail on its way, written in the transaction that wants it sent."""

    __tablename__ = "wrtn_mails"
    __table_args__ = (
        Index("wrtn_mails_due_idx", "next_attempt_time", postgresql_where=text("state = 'QUEUED'")),
        Index("wrtn_mails_create_time_idx", "create_time"),
        CheckConstraint("state IN ('QUEUED', 'SENT', 'REFUSED')", name="state"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    """Under whose key the message is encrypted."""
    message: Mapped[bytes | None]
    """The whole message with its headers, encrypted; null once it is sent."""
    state: Mapped[str]
    attempts: Mapped[int]
    next_attempt_time: Mapped[datetime]
    last_error: Mapped[str | None]
    """The class of the last failure and the server's code; never its text, which may quote the address."""
    send_time: Mapped[datetime | None]
    create_time: Mapped[datetime]
