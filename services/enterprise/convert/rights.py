"""Who an account is in an enterprise, and whether that one stands, as messages. Pure."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

from chassis import call
from services.enterprise.convert import fields
from services.enterprise.models import Enterprise
from wrtn.enterprise.v1.access_pb2 import Access, EnterpriseStanding, TeamPlace, TeamRole
from wrtn.enterprise.v1.enterprises_pb2 import ENTERPRISE_STATE_ACTIVE


def access(found: call.Access | None) -> Access:
    """Answers who an account is; the empty message if it is nobody's."""
    if found is None:
        return Access()
    return Access(
        employee_id=str(found.employee_id),
        member_id=str(found.member_id),
        title=fields.title(found.title),
        teams=[
            TeamRole(team_id=str(team_id), role=fields.role(held)) for team_id, held in found.roles.items()
        ],
        team=_place(found.team) if found.team is not None else None,
        duties=fields.duties(sorted(found.duties)),
        granted=found.granted,
        content_readable=found.content_readable,
        good_for=_seconds(found.good_for),
    )


def standing(row: Enterprise | None) -> EnterpriseStanding:
    """Answers whether an enterprise is halted; one that is not known is."""
    if row is None:
        return EnterpriseStanding(halted=True)
    return EnterpriseStanding(halted=row.state != ENTERPRISE_STATE_ACTIVE, version=row.version)


def _place(found: call.TeamPlace) -> TeamPlace:
    return TeamPlace(
        team_id=str(found.team_id),
        ancestor_ids=[str(each) for each in found.ancestor_ids],
        role=fields.role(found.role),
        companion=found.companion,
    )


def _seconds(value: float | None) -> Duration | None:
    if value is None:
        return None
    duration = Duration()
    duration.FromNanoseconds(int(value * 1e9))
    return duration
