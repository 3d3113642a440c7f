"""Builds and publishes this service's events, in the transaction of the change that they tell of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from chassis.database import Transaction
from services.enterprise.models import (
    Companion,
    Deputy,
    Domain,
    Employee,
    Enterprise,
    GrantChange,
    GrantRequest,
    Invitation,
    Team,
    Visibility,
    WebhookEndpoint,
)
from wrtn.access.v1.access_pb2 import Duty, Role, Title
from wrtn.enterprise.v1.events_pb2 import (
    CompanionAppointed,
    CompanionRemoved,
    DeputyAppointed,
    DeputyEnded,
    DomainLost,
    DomainRemoved,
    DomainVerified,
    DutiesChanged,
    EmployeeDismissed,
    EmployeeHired,
    EnterpriseClosed,
    EnterpriseCreated,
    EnterpriseReinstated,
    EnterpriseReopened,
    EnterpriseSuspended,
    EnterpriseUpdated,
    GrantChanged,
    GrantRequestClosed,
    GrantRequested,
    InvitationChanged,
    TeamArchived,
    TeamCreated,
    TeamMoved,
    TeamRenamed,
    TeamRestored,
    TitleChanged,
    VisibilityChanged,
    WebhookEndpointDisabled,
)
from wrtn.enterprise.v1.grant_requests_pb2 import GrantRequest as GrantRequestMessage
from wrtn.enterprise.v1.grants_pb2 import Effect
from wrtn.enterprise.v1.invitations_pb2 import Invitation as InvitationMessage


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


def invitation_changed(tx: Transaction, row: Invitation) -> None:
    """Tells that an invitation was made, or how it ended."""
    event = InvitationChanged(
        enterprise_id=str(row.tenant_id),
        invitation_id=str(row.id),
        state=InvitationMessage.State.Value(f"STATE_{row.state}"),
        employee_id=str(row.employee_id) if row.employee_id else "",
    )
    tx.publish(event, aggregate_id=row.id, version=row.version, tenant_id=row.tenant_id)


def employee_hired(tx: Transaction, row: Employee) -> None:
    """Tells of one who is employed, for the first time or again; identity opens the account that it names."""
    event = EmployeeHired(
        enterprise_id=str(row.tenant_id),
        employee_id=str(row.id),
        member_id=str(row.member_id),
        account_id=str(row.account_id),
        title=cast("Title.ValueType", row.title),
    )
    tx.publish(event, aggregate_id=row.id, version=row.version, tenant_id=row.tenant_id)


def title_changed(tx: Transaction, row: Employee) -> None:
    """Tells of the new title of an employee."""
    event = TitleChanged(
        enterprise_id=str(row.tenant_id),
        employee_id=str(row.id),
        account_id=str(row.account_id),
        title=cast("Title.ValueType", row.title),
        member_id=str(row.member_id),
    )
    tx.publish(event, aggregate_id=row.id, version=row.version, tenant_id=row.tenant_id)


def employee_dismissed(tx: Transaction, row: Employee, successor_id: UUID | None) -> None:
    """Tells that an employment ended."""
    event = EmployeeDismissed(
        enterprise_id=str(row.tenant_id),
        employee_id=str(row.id),
        member_id=str(row.member_id),
        account_id=str(row.account_id),
        successor_employee_id=str(successor_id or ""),
    )
    tx.publish(event, aggregate_id=row.id, version=row.version, tenant_id=row.tenant_id)


def duties_changed(tx: Transaction, row: Employee) -> None:
    """Tells of the duties of a manager."""
    event = DutiesChanged(
        enterprise_id=str(row.tenant_id),
        employee_id=str(row.id),
        account_id=str(row.account_id),
        duties=[cast("Duty.ValueType", each) for each in row.duties],
    )
    tx.publish(event, aggregate_id=row.id, version=row.version, tenant_id=row.tenant_id)


def team_created(tx: Transaction, row: Team, ancestor_ids: Sequence[UUID]) -> None:
    """Tells of a new team and of the teams above it, the nearest first."""
    event = TeamCreated(
        enterprise_id=str(row.tenant_id),
        team_id=str(row.id),
        ancestor_ids=[str(each) for each in ancestor_ids],
    )
    tx.publish(event, aggregate_id=row.id, tenant_id=row.tenant_id)


def team_renamed(tx: Transaction, row: Team) -> None:
    """Tells of the new name of a team, without the name."""
    event = TeamRenamed(enterprise_id=str(row.tenant_id), team_id=str(row.id))
    tx.publish(event, aggregate_id=row.id, version=row.version, tenant_id=row.tenant_id)


def team_moved(tx: Transaction, row: Team, before: Sequence[UUID], after: Sequence[UUID]) -> None:
    """Tells of the new place of a team; the teams above it before and after, the nearest first."""
    event = TeamMoved(
        enterprise_id=str(row.tenant_id),
        team_id=str(row.id),
        old_ancestor_ids=[str(each) for each in before],
        ancestor_ids=[str(each) for each in after],
    )
    tx.publish(event, aggregate_id=row.id, version=row.version, tenant_id=row.tenant_id)


def team_archived(tx: Transaction, row: Team) -> None:
    """Tells that a team, with all below it, is archived."""
    event = TeamArchived(
        enterprise_id=str(row.tenant_id), team_id=str(row.id), parent_team_id=str(row.parent_team_id or "")
    )
    tx.publish(event, aggregate_id=row.id, version=row.version, tenant_id=row.tenant_id)


def team_restored(tx: Transaction, row: Team, ancestor_ids: Sequence[UUID]) -> None:
    """Tells that a team, with all that was archived with it, is back."""
    event = TeamRestored(
        enterprise_id=str(row.tenant_id),
        team_id=str(row.id),
        ancestor_ids=[str(each) for each in ancestor_ids],
    )
    tx.publish(event, aggregate_id=row.id, version=row.version, tenant_id=row.tenant_id)


def companion_appointed(tx: Transaction, row: Companion) -> None:
    """Tells of a role given; the version rises with each change of the companion."""
    event = CompanionAppointed(
        enterprise_id=str(row.tenant_id),
        team_id=str(row.team_id),
        employee_id=str(row.employee_id),
        role=cast("Role.ValueType", row.role),
    )
    tx.publish(event, aggregate_id=row.id, version=row.version, tenant_id=row.tenant_id)


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


def visibility_changed(tx: Transaction, row: Visibility) -> None:
    """Tells whether content may now be read by owners and managers."""
    event = VisibilityChanged(enterprise_id=str(row.tenant_id), content_readable=row.content_readable)
    tx.publish(event, aggregate_id=row.tenant_id, version=row.version, tenant_id=row.tenant_id)


def companion_removed(tx: Transaction, row: Companion) -> None:
    """Tells of one who is in the team no more."""
    event = CompanionRemoved(
        enterprise_id=str(row.tenant_id), team_id=str(row.team_id), employee_id=str(row.employee_id)
    )
    tx.publish(event, aggregate_id=row.id, version=row.version, tenant_id=row.tenant_id)


def deputy_appointed(tx: Transaction, row: Deputy) -> None:
    """Tells of one who stands in from now on."""
    event = DeputyAppointed(
        enterprise_id=str(row.tenant_id),
        deputy_id=str(row.id),
        employee_id=str(row.employee_id),
        absent_employee_id=str(row.absent_employee_id),
        team_id=str(row.team_id or ""),
    )
    tx.publish(event, aggregate_id=row.id, version=row.version, tenant_id=row.tenant_id)


def deputy_ended(tx: Transaction, row: Deputy) -> None:
    """Tells of a deputyship that was ended before its time."""
    event = DeputyEnded(
        enterprise_id=str(row.tenant_id), deputy_id=str(row.id), employee_id=str(row.employee_id)
    )
    tx.publish(event, aggregate_id=row.id, version=row.version, tenant_id=row.tenant_id)
