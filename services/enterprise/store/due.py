"""Whose work is due: asked by the worker role, which sees of these tables the tenant and the time alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from chassis.database import Snapshot
from services.enterprise.models import WebhookDelivery, WebhookEndpoint

_MOST_TENANTS = 500


async def tenants_with_due(tx: Snapshot, now: datetime) -> Sequence[UUID]:
    """Answers the enterprises that have deliveries due, 500 at most."""
    due = WebhookDelivery.due_time <= now
    wanted = select(WebhookDelivery.tenant_id).where(due).distinct().limit(_MOST_TENANTS)
    return (await tx.session.scalars(wanted)).all()


async def tenants_with_endpoints(tx: Snapshot) -> Sequence[UUID]:
    """Answers the enterprises that have, or had, a webhook endpoint."""
    return (await tx.session.scalars(select(WebhookEndpoint.tenant_id).distinct())).all()
