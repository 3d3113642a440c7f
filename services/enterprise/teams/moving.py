"""Moving teams: with all below them, and among their siblings."""

from __future__ import annotations

from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Transaction
from services.enterprise import convert, events
from services.enterprise.errors import TeamArchived, TeamCycle, TeamNotFound
from services.enterprise.people import appointments
from services.enterprise.store import Place, Teams
from services.enterprise.teams import checks, ranks, team_changes
from services.enterprise.teams.team_changes import Kind
from wrtn.enterprise.v1.teams_pb2 import MoveTeamRequest, Team


async def move(tx: Transaction, _keyring: Keyring, decider_id: UUID, request: MoveTeamRequest) -> Team:
    """Moves a team with all below it, and to its place among the siblings. It is one row: readers never wait.

    Raises TeamNotFound, TeamArchived, TeamAboveRight, EtagMismatch, TeamCycle, TeamTooDeep and
    SiblingNotFound.
    """
    tenant_id, team_id = UUID(request.enterprise_id), UUID(request.team_id)
    parent_id = UUID(request.parent_team_id) if request.parent_team_id else None
    enterprise, decider = await appointments.begin(tx, tenant_id, decider_id, team_id)
    teams = Teams(tx, tenant_id)
    found, place = await teams.place(team_id, parent_id)
    team = checks.live(found, request.etag)
    checks.require_keeping(decider)
    before = decider.team.ancestor_ids if decider.team is not None else ()
    await _require_fit(teams, team_id, place, before)
    if parent_id != team.parent_team_id:
        checks.require_chief_of_line(decider, place.line)
    rank = await ranks.place(teams, place.siblings, team_id, request.before_team_id, request.after_team_id)
    if (parent_id, rank) != (team.parent_team_id, team.rank):
        kind = Kind.MOVED if before != place.line else Kind.ORDERED
        await team_changes.move(tx, enterprise, decider.employee_id, kind, team_id, parent_id, rank)
        team.parent_team_id, team.rank = parent_id, rank
        team.version += 1
        events.team_moved(tx, team, before, place.line)
    return convert.team(team, place.line)


async def _require_fit(teams: Teams, team_id: UUID, place: Place, before: tuple[UUID, ...]) -> None:
    """Raises unless the place is there, live, not below the team itself, and high enough for all below it."""
    if place.parent_id is not None and not place.line:
        raise TeamNotFound("The team above does not exist.", field="parent_team_id")
    if place.archived:
        raise TeamArchived("The team above is archived.", field="parent_team_id")
    if team_id in place.line:
        raise TeamCycle("The team would stand below itself.", field="parent_team_id")
    # What does not come to stand deeper than it does needs no walk down.
    if len(place.line) > len(before):
        checks.require_room(place.line, await teams.height(team_id))
