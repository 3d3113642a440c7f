"""Builds and publishes the events of employees, invitations and deputyships."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from chassis.database import Transaction
from services.enterprise.models import Deputy, Employee, Invitation
from wrtn.access.v1.access_pb2 import Duty, Title
from wrtn.enterprise.v1.events_pb2 import (
    DeputyAppointed,
    DeputyEnded,
    DutiesChanged,
    EmployeeDismissed,
    EmployeeHired,
    InvitationChanged,
    TitleChanged,
)
from wrtn.enterprise.v1.invitations_pb2 import Invitation as InvitationMessage


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


def duties_changed(tx: Transaction, row: Employee) -> None:
    """Tells of the duties of a manager."""
    event = DutiesChanged(
        enterprise_id=str(row.tenant_id),
        employee_id=str(row.id),
        account_id=str(row.account_id),
        duties=[cast("Duty.ValueType", each) for each in row.duties],
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
