"""Builds and publishes the events of teams and the companions in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from chassis.database import Transaction
from services.enterprise.models import Companion, Team
from wrtn.access.v1.access_pb2 import Role
from wrtn.enterprise.v1.events_pb2 import (
    CompanionAppointed,
    CompanionRemoved,
    TeamArchived,
    TeamCreated,
    TeamMoved,
    TeamRenamed,
    TeamRestored,
)


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


def companion_removed(tx: Transaction, row: Companion) -> None:
    """Tells of one who is in the team no more."""
    event = CompanionRemoved(
        enterprise_id=str(row.tenant_id), team_id=str(row.team_id), employee_id=str(row.employee_id)
    )
    tx.publish(event, aggregate_id=row.id, version=row.version, tenant_id=row.tenant_id)
