"""Builds and publishes the events of enterprises, their domains, webhooks and visibility."""

from __future__ import annotations

from chassis.database import Transaction
from services.enterprise.models import Domain, Enterprise, Visibility, WebhookEndpoint
from wrtn.enterprise.v1.events_pb2 import (
    DomainLost,
    DomainRemoved,
    DomainVerified,
    EnterpriseClosed,
    EnterpriseCreated,
    EnterpriseReinstated,
    EnterpriseReopened,
    EnterpriseSuspended,
    EnterpriseUpdated,
    VisibilityChanged,
    WebhookEndpointDisabled,
)


def enterprise_created(tx: Transaction, row: Enterprise) -> None:
    """Tells of a new enterprise."""
    event = EnterpriseCreated(
        enterprise_id=str(row.tenant_id), time_zone=row.time_zone, currency=row.currency
    )
    tx.publish(event, aggregate_id=row.tenant_id, tenant_id=row.tenant_id)


def enterprise_updated(tx: Transaction, row: Enterprise) -> None:
    """Tells that something of the enterprise was changed."""
    event = EnterpriseUpdated(enterprise_id=str(row.tenant_id), time_zone=row.time_zone, locale=row.locale)
    tx.publish(event, aggregate_id=row.tenant_id, version=row.version, tenant_id=row.tenant_id)


def enterprise_turned(
    tx: Transaction,
    row: Enterprise,
    fact: type[EnterpriseSuspended | EnterpriseReinstated | EnterpriseClosed | EnterpriseReopened],
) -> None:
    """Tells of the new state of the enterprise."""
    event = fact(enterprise_id=str(row.tenant_id))
    tx.publish(event, aggregate_id=row.tenant_id, version=row.version, tenant_id=row.tenant_id)


def domain_changed(
    tx: Transaction, row: Domain, fact: type[DomainVerified] | type[DomainLost] | type[DomainRemoved]
) -> None:
    """Tells that a domain was proven, lost or given up."""
    event = fact(enterprise_id=str(row.tenant_id), domain_id=str(row.id))
    tx.publish(event, aggregate_id=row.id, version=row.version, tenant_id=row.tenant_id)


def endpoint_disabled(tx: Transaction, row: WebhookEndpoint) -> None:
    """Tells that a webhook endpoint gets nothing any more."""
    event = WebhookEndpointDisabled(enterprise_id=str(row.tenant_id), endpoint_id=str(row.id))
    tx.publish(event, aggregate_id=row.id, version=row.version, tenant_id=row.tenant_id)


def visibility_changed(tx: Transaction, row: Visibility) -> None:
    """Tells whether content may now be read by owners and managers."""
    event = VisibilityChanged(enterprise_id=str(row.tenant_id), content_readable=row.content_readable)
    tx.publish(event, aggregate_id=row.tenant_id, version=row.version, tenant_id=row.tenant_id)
