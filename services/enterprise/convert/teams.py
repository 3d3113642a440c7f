"""Teams and the companions in them, as messages. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chassis import timestamps
from services.enterprise import models
from services.enterprise.convert import fields
from wrtn.enterprise.v1.teams_pb2 import TEAM_STATE_ACTIVE, TEAM_STATE_ARCHIVED, Companion, Team


def team(row: models.Team, ancestor_ids: Sequence[UUID]) -> Team:
    """Answers the team with the teams above it, the nearest first."""
    return Team(
        id=str(row.id),
        enterprise_id=str(row.tenant_id),
        parent_team_id=fields.id_text(row.parent_team_id),
        display_name=row.display_name,
        ancestor_ids=[str(each) for each in ancestor_ids],
        create_time=timestamps.of(row.create_time),
        state=TEAM_STATE_ACTIVE if row.archive_time is None else TEAM_STATE_ARCHIVED,
        archive_time=fields.moment(row.archive_time),
        etag=str(row.version),
    )


def companion(row: models.Companion) -> Companion:
    """Answers the companion."""
    return Companion(
        id=str(row.id),
        team_id=str(row.team_id),
        employee_id=str(row.employee_id),
        role=fields.role(row.role),
        create_time=timestamps.of(row.create_time),
    )
