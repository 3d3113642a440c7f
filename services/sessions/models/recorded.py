"""What is recorded: sessions, tickets, connections, histories, attributions, and the processes that serve."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Index, SmallInteger, UniqueConstraint, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from services.sessions.models.base import Base


def _counter() -> Mapped[int]:
    return mapped_column(BigInteger, server_default=text("0"))


def _count() -> Mapped[int | None]:
    return mapped_column(BigInteger)


class ChatSession(Base):
    """A chat session, the end of its sequence, and the sum of the usage of its histories.

    The row is what every append locks and moves: sequence and sums are exact at each commit.
    """

    __tablename__ = "wrtn_chat_sessions"
    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    opener_member_id: Mapped[UUID]
    model: Mapped[str]
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
            "wrtn_chat_sessions_team_idx",
            "team_id",
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
    """One history. The body is encrypted; the counts are null if it cost no tokens. Insert-only.

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
