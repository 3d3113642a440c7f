"""What was so at a past moment, as messages. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from chassis import timestamps
from services.enterprise.convert import fields
from services.enterprise.store.history import Change, RightThen, RoleThen, TeamThen
from wrtn.enterprise.v1.access_pb2 import TeamRole
from wrtn.enterprise.v1.history_pb2 import CompanionAt, DeputyAt, TeamAt, TeamChange


def team_at(row: TeamThen, chief_ids: Sequence[UUID]) -> TeamAt:
    """Answers the team as it was, with its chiefs."""
    return TeamAt(
        team_id=str(row.team_id),
        parent_team_id=fields.id_text(row.parent_team_id),
        display_name=row.display_name,
        chief_employee_ids=[str(each) for each in chief_ids],
    )


def companion_at(row: RoleThen) -> CompanionAt:
    """Answers what the employee was in the team."""
    return CompanionAt(
        employee_id=str(row.employee_id),
        role=fields.role(row.role),
        absent_employee_id=fields.id_text(row.absent_id),
        until_time=fields.moment(row.until),
    )


def role_at(row: RightThen) -> TeamRole:
    """Answers the role that was the employee's own."""
    return TeamRole(team_id=fields.id_text(row.team_id), role=fields.role(row.role))


def deputy_at(row: RightThen) -> DeputyAt:
    """Answers for whom the employee stood in."""
    return DeputyAt(
        absent_employee_id=fields.id_text(row.absent_id),
        team_id=fields.id_text(row.team_id),
        title=fields.title(row.title),
        role=fields.role(row.role),
        until_time=fields.moment(row.until),
    )


def team_change(row: Change) -> TeamChange:
    """Answers the record, with what was before."""
    return TeamChange(
        sequence=row.sequence,
        team_id=str(row.team_id),
        kind=cast("TeamChange.Kind.ValueType", row.kind),
        parent_team_id=fields.id_text(row.parent_team_id),
        old_parent_team_id=fields.id_text(row.old_parent_team_id),
        display_name=row.display_name,
        old_display_name=row.old_display_name or "",
        decider_employee_id=fields.id_text(row.decider_employee_id),
        decider_credential_id=fields.id_text(row.decider_credential_id),
        create_time=timestamps.of(row.create_time),
    )
