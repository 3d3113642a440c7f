"""Making, renaming, archiving and restoring teams; moving.py moves them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from chassis import masks
from chassis.call import Access
from chassis.crypto import Keyring
from chassis.database import Transaction
from services.enterprise import convert, events, models, plan_limits
from services.enterprise.errors import (
    TeamAboveRight,
    TeamActive,
    TeamArchived,
    TeamNotFound,
)
from services.enterprise.models import Enterprise
from services.enterprise.people import appointing, appointments
from services.enterprise.store import PlanLimits, Teams
from services.enterprise.teams import checks, ranks, team_changes
from services.enterprise.teams.team_changes import Kind
from wrtn.access.v1.access_pb2 import ROLE_CHIEF, TITLE_MANAGER
from wrtn.enterprise.v1.teams_pb2 import (
    ArchiveTeamRequest,
    CreateTeamRequest,
    RestoreTeamRequest,
    Team,
    UpdateTeamRequest,
)


@dataclass(frozen=True, slots=True)
class _Decision:
    """What every decision about a team begins with."""

    enterprise: Enterprise
    decider: Access
    teams: Teams


async def create(tx: Transaction, _keyring: Keyring, decider_id: UUID, request: CreateTeamRequest) -> Team:
    """Creates a team at the top or under another, as the last there.

    Raises TeamNotFound and TeamArchived for the one above, TeamAboveRight, TeamTooDeep and PlanLimitReached.
    """
    parent_id = _parent_of(request.parent_team_id)
    deciding = await _begin(tx, request.enterprise_id, decider_id, parent_id)
    ancestors = await _place(deciding, parent_id)
    await plan_limits.require_team(tx, deciding.enterprise.tenant_id)
    row = models.Team(
        tenant_id=deciding.enterprise.tenant_id,
        id=tx.clock.new_id(),
        parent_team_id=parent_id,
        display_name=request.display_name,
        create_time=tx.now,
        rank=ranks.after(await deciding.teams.last_rank(parent_id)),
        version=1,
    )
    tx.session.add(row)
    await team_changes.record(tx, deciding.enterprise, deciding.decider.employee_id, row, Kind.CREATED)
    events.team_created(tx, row, ancestors)
    return convert.team(row, ancestors)


async def update(tx: Transaction, _keyring: Keyring, decider_id: UUID, request: UpdateTeamRequest) -> Team:
    """Renames a team.

    Raises UpdateMaskInvalid, TeamNotFound, TeamArchived, TeamAboveRight and EtagMismatch.
    """
    changes = masks.changes(request.team, request.update_mask, allowed=("display_name",))
    team_id = UUID(request.team.id)
    deciding = await _begin(tx, request.enterprise_id, decider_id, team_id)
    row = await _live(deciding, team_id, request.team.etag)
    standing = appointing.standing_of(deciding.decider)
    if not (appointing.may_keep(standing) or standing.role >= ROLE_CHIEF):
        raise TeamAboveRight("The team is not the caller's to rename.", field="team.id")
    ancestors = (await deciding.teams.lines([team_id]))[team_id][1:]
    if changes["display_name"] != row.display_name:
        row.display_name = changes["display_name"]
        row.version += 1
        await team_changes.record(tx, deciding.enterprise, deciding.decider.employee_id, row, Kind.RENAMED)
        events.team_renamed(tx, row)
    return convert.team(row, ancestors)


async def archive(tx: Transaction, _keyring: Keyring, decider_id: UUID, request: ArchiveTeamRequest) -> Team:
    """Archives a team with all below it.

    Raises TeamNotFound, TeamArchived, TeamAboveRight and EtagMismatch.
    """
    team_id = UUID(request.team_id)
    deciding = await _begin(tx, request.enterprise_id, decider_id, team_id)
    row = await _live(deciding, team_id, request.etag)
    checks.require_keeping(deciding.decider)
    ancestors = (await deciding.teams.lines([team_id]))[team_id][1:]
    await team_changes.archive(tx, deciding.enterprise, deciding.decider.employee_id, team_id)
    await tx.session.refresh(row)
    events.team_archived(tx, row)
    return convert.team(row, ancestors)


async def restore(tx: Transaction, _keyring: Keyring, decider_id: UUID, request: RestoreTeamRequest) -> Team:
    """Restores a team with all that was archived with it.

    Raises TeamNotFound, TeamActive, TeamAboveRight, EtagMismatch, PlanLimitReached and, for the team above,
    TeamArchived.
    """
    team_id = UUID(request.team_id)
    deciding = await _begin(tx, request.enterprise_id, decider_id)
    if deciding.decider.title < TITLE_MANAGER:
        raise TeamAboveRight("The team is not the caller's to restore.", field="team_id")
    row = await _any(deciding, team_id, request.etag)
    if row.archive_time is None:
        raise TeamActive("The team is not archived.", field="team_id")
    parent = await deciding.teams.get(row.parent_team_id) if row.parent_team_id else None
    if parent is not None and parent.archive_time is not None:
        raise TeamArchived("The team above is archived: restore it first.", field="team_id")
    limits = PlanLimits(tx, row.tenant_id)
    before = await limits.teams()
    await team_changes.restore(tx, deciding.enterprise, deciding.decider.employee_id, team_id)
    plan_limits.require_teams(before, (await limits.teams()).used - before.used)
    await tx.session.refresh(row)
    ancestors = (await deciding.teams.lines([team_id]))[team_id][1:]
    events.team_restored(tx, row, ancestors)
    return convert.team(row, ancestors)


def _parent_of(text: str) -> UUID | None:
    return UUID(text) if text else None


async def _begin(
    tx: Transaction, enterprise_id: str, decider_id: UUID, team_id: UUID | None = None
) -> _Decision:
    """Locks the enterprise, so that the tree stands still, and reads the decider's rights behind the lock."""
    tenant_id = UUID(enterprise_id)
    enterprise, decider = await appointments.begin(tx, tenant_id, decider_id, team_id)
    return _Decision(enterprise, decider, Teams(tx, tenant_id))


async def _any(deciding: _Decision, team_id: UUID, etag: str) -> models.Team:
    return checks.known(await deciding.teams.get(team_id), etag)


async def _live(deciding: _Decision, team_id: UUID, etag: str) -> models.Team:
    return checks.live(await deciding.teams.get(team_id), etag)


async def _place(deciding: _Decision, parent_id: UUID | None) -> tuple[UUID, ...]:
    """Answers the teams above a place, the nearest first, and that the decider may make a team there."""
    line: tuple[UUID, ...] = ()
    if parent_id is not None:
        parent = await deciding.teams.get(parent_id)
        if parent is None:
            raise TeamNotFound("The team above does not exist.", field="parent_team_id")
        if parent.archive_time is not None:
            raise TeamArchived("The team above is archived.", field="parent_team_id")
        line = (await deciding.teams.lines([parent_id]))[parent_id]
    checks.require_chief_of_line(deciding.decider, line)
    checks.require_room(line, height=1)
    return line
