"""Webhook endpoints, and what is delivered to them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from services.enterprise.models.base import Base


class EndpointState(StrEnum):
    """Whether anything is sent to an endpoint."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"


class DisableReason(StrEnum):
    """Why an endpoint is disabled."""

    REQUESTED = "REQUESTED"
    FAILING = "FAILING"
    GONE = "GONE"


class DeliveryState(StrEnum):
    """The states of a delivery; all but the first are final."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class WebhookEndpoint(Base):
    """Where an enterprise wants to be told."""

    __tablename__ = "wrtn_webhook_endpoints"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["wrtn_enterprises.tenant_id"]),
        CheckConstraint("state IN ('ENABLED', 'DISABLED')", name="state"),
        CheckConstraint("disable_reason IN ('REQUESTED', 'FAILING', 'GONE')", name="reason"),
        CheckConstraint("(state = 'DISABLED') = (disable_reason IS NOT NULL)", name="disabled"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    url: Mapped[bytes]
    """Encrypted: many a URL is a secret."""
    description: Mapped[str]
    event_types: Mapped[list[str]] = mapped_column(ARRAY(Text))
    state: Mapped[str]
    disable_reason: Mapped[str | None]
    failing_time: Mapped[datetime | None]
    """Since when every attempt has failed."""
    version: Mapped[int]
    create_time: Mapped[datetime]
    delete_time: Mapped[datetime | None]


class WebhookSecret(Base):
    """A secret that signs what an endpoint is sent."""

    __tablename__ = "wrtn_webhook_secrets"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "endpoint_id"], ["wrtn_webhook_endpoints.tenant_id", "wrtn_webhook_endpoints.id"]
        ),
        Index(None, "endpoint_id", "tenant_id"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    endpoint_id: Mapped[UUID]
    secret: Mapped[bytes]
    """Encrypted."""
    expire_time: Mapped[datetime | None]
    """Set when a newer one was made."""
    create_time: Mapped[datetime]


class WebhookEvent(Base):
    """An event that an endpoint of the enterprise asks for, as it is sent."""

    __tablename__ = "wrtn_webhook_events"
    __table_args__ = (Index(None, "tenant_id", "event_time"), Index(None, "tenant_id", "create_time"))

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    type: Mapped[str]
    object_id: Mapped[UUID]
    version: Mapped[int] = mapped_column(BigInteger)
    body: Mapped[bytes]
    """JSON; ids and facts alone."""
    event_time: Mapped[datetime]
    create_time: Mapped[datetime]


class WebhookDelivery(Base):
    """One event on its way to one endpoint."""

    __tablename__ = "wrtn_webhook_deliveries"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "endpoint_id"], ["wrtn_webhook_endpoints.tenant_id", "wrtn_webhook_endpoints.id"]
        ),
        ForeignKeyConstraint(
            ["tenant_id", "event_id"], ["wrtn_webhook_events.tenant_id", "wrtn_webhook_events.id"]
        ),
        CheckConstraint("state IN ('PENDING', 'DELIVERED', 'FAILED', 'SKIPPED')", name="state"),
        CheckConstraint("state = 'PENDING' OR due_time IS NULL", name="due"),
        # The worker finds by it whose deliveries are due, the dispatcher each endpoint's.
        Index("wrtn_webhook_deliveries_due_idx", "due_time", postgresql_where=text("due_time IS NOT NULL")),
        Index(
            "wrtn_webhook_deliveries_endpoint_due_idx",
            "endpoint_id",
            "due_time",
            "tenant_id",
            postgresql_where=text("due_time IS NOT NULL"),
        ),
        Index("wrtn_webhook_deliveries_object_idx", "endpoint_id", "object_id", "version", "tenant_id"),
        Index(None, "endpoint_id", "id", "tenant_id"),
        Index(None, "event_id", "tenant_id"),
        Index(None, "tenant_id", "create_time"),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    endpoint_id: Mapped[UUID]
    event_id: Mapped[UUID]
    event_type: Mapped[str]
    object_id: Mapped[UUID]
    version: Mapped[int] = mapped_column(BigInteger)
    replay: Mapped[bool]
    state: Mapped[str]
    attempts: Mapped[int]
    last_status: Mapped[int | None]
    due_time: Mapped[datetime | None]
    """When it is to be sent; None once it is settled, and while its endpoint is disabled."""
    claim_time: Mapped[datetime | None]
    """Until when a process has it in hand."""
    create_time: Mapped[datetime]


class WebhookAttempt(Base):
    """One sending."""

    __tablename__ = "wrtn_webhook_attempts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "delivery_id"],
            ["wrtn_webhook_deliveries.tenant_id", "wrtn_webhook_deliveries.id"],
            ondelete="CASCADE",
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    delivery_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[int | None]
    failure: Mapped[str | None]
    excerpt: Mapped[bytes | None]
    """Encrypted."""
    milliseconds: Mapped[int]
    attempt_time: Mapped[datetime]
