"""Builds and publishes the events of grants and of requests for them."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from chassis.database import Transaction
from services.enterprise.models import GrantChange, GrantRequest
from wrtn.enterprise.v1.events_pb2 import GrantChanged, GrantRequestClosed, GrantRequested
from wrtn.enterprise.v1.grant_requests_pb2 import GrantRequest as GrantRequestMessage
from wrtn.enterprise.v1.grants_pb2 import Effect


def grant_changed(tx: Transaction, row: GrantChange, aggregate_id: UUID) -> None:
    """Tells of a grant or a default by the record of its change, whose sequence is the version."""
    event = GrantChanged(
        enterprise_id=str(row.tenant_id),
        team_id=str(row.team_id) if row.team_id is not None else "",
        resource=row.resource,
        effect=cast("Effect.ValueType", row.effect_after),
    )
    tx.publish(event, aggregate_id=aggregate_id, version=row.sequence, tenant_id=row.tenant_id)


def grant_requested(tx: Transaction, row: GrantRequest) -> None:
    """Tells of a new request for a right."""
    event = GrantRequested(enterprise_id=str(row.tenant_id), grant_request_id=str(row.id))
    tx.publish(event, aggregate_id=row.id, tenant_id=row.tenant_id)


def grant_request_closed(tx: Transaction, row: GrantRequest) -> None:
    """Tells what became of a request for a right: its second and last version."""
    event = GrantRequestClosed(
        enterprise_id=str(row.tenant_id),
        grant_request_id=str(row.id),
        state=cast("GrantRequestMessage.State.ValueType", row.state),
    )
    tx.publish(event, aggregate_id=row.id, version=2, tenant_id=row.tenant_id)
