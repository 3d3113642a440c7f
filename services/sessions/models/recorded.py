"""What is recorded in sessions, over which connections, whose usage it is, and which processes serve."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Index, SmallInteger, UniqueConstraint, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from services.sessions.models.base import Base


def _count() -> Mapped[int | None]:
    return mapped_column(BigInteger)


class Ticket(Base):
    """A ticket that was given out and not used yet, found by the SHA-256 of its text."""

    __tablename__ = "wrtn_tickets"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    ticket_hash: Mapped[bytes] = mapped_column(primary_key=True)
    chat_session_id: Mapped[UUID]
    account_id: Mapped[UUID]
    member_id: Mapped[UUID]
    login_id: Mapped[UUID]
    expire_time: Mapped[datetime]
    __table_args__ = (Index("wrtn_tickets_expire_time_idx", "tenant_id", "expire_time"),)


class Connection(Base):
    """A connection of a session. `process_id` is set while a stream carries it."""

    __tablename__ = "wrtn_connections"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    chat_session_id: Mapped[UUID]
    account_id: Mapped[UUID]
    member_id: Mapped[UUID]
    login_id: Mapped[UUID]
    credential_id: Mapped[UUID]
    process_id: Mapped[UUID | None]
    resumed_connection_id: Mapped[UUID | None]
    client: Mapped[bytes | None]
    address: Mapped[bytes | None]
    connect_time: Mapped[datetime]
    disconnect_time: Mapped[datetime | None]
    __table_args__ = (
        Index("wrtn_connections_session_idx", "chat_session_id", "tenant_id", "connect_time", "id"),
        Index("wrtn_connections_credential_idx", "credential_id", "id"),
        Index(
            "wrtn_connections_process_idx",
            "process_id",
            "tenant_id",
            postgresql_where=text("disconnect_time IS NULL"),
        ),
    )


class Attribution(Base):
    """Whose usage it is, once for each combination; the id is made from the rest. Insert-only."""

    __tablename__ = "wrtn_attributions"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    member_id: Mapped[UUID]
    employee_id: Mapped[UUID | None]
    team_id: Mapped[UUID | None]
    ancestor_team_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid))
    title: Mapped[int] = mapped_column(SmallInteger)
    role: Mapped[int] = mapped_column(SmallInteger)


class History(Base):
    """One history. The body is encrypted; the counts are null if it is no usage, the last four if no units
    were told. Insert-only.

    Of a purged session the bodies are empty; nothing else of a history ever changes.
    """

    __tablename__ = "wrtn_histories"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    chat_session_id: Mapped[UUID]
    sequence: Mapped[int] = mapped_column(BigInteger)
    connection_id: Mapped[UUID]
    attribution_id: Mapped[UUID]
    type: Mapped[str]
    body: Mapped[bytes]
    create_time: Mapped[datetime]
    model: Mapped[str | None]
    input_total: Mapped[int | None] = _count()
    input_cached: Mapped[int | None] = _count()
    output_total: Mapped[int | None] = _count()
    output_reasoning: Mapped[int | None] = _count()
    output_accepted_prediction: Mapped[int | None] = _count()
    output_rejected_prediction: Mapped[int | None] = _count()
    reservation_id: Mapped[UUID | None]
    cache_write_tokens: Mapped[int | None] = _count()
    requests: Mapped[int | None] = _count()
    images: Mapped[int | None] = _count()
    seconds: Mapped[int | None] = _count()
    __table_args__ = (
        UniqueConstraint("chat_session_id", "tenant_id", "sequence", name="wrtn_histories_sequence_key"),
    )


class Process(Base):
    """A process that holds streams, and when it was last alive."""

    __tablename__ = "wrtn_processes"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    heartbeat_time: Mapped[datetime]


class ProcessTenant(Base):
    """A tenant of whom a process holds or held a stream."""

    __tablename__ = "wrtn_process_tenants"
    process_id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
