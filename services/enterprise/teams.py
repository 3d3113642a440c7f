"""Making teams."""

from __future__ import annotations

from uuid import UUID

from chassis.database import Transaction
from services.enterprise import convert, events, models, tree
from services.enterprise.errors import TeamNotFound, TeamTooDeep
from services.enterprise.store import Teams
from wrtn.enterprise.v1.teams_pb2 import CreateTeamRequest, Team


async def create(tx: Transaction, request: CreateTeamRequest) -> Team:
    """Creates a team at the top or under another; raises TeamNotFound for the latter, and TeamTooDeep."""
    tenant_id = UUID(request.enterprise_id)
    parent_id = UUID(request.parent_team_id) if request.parent_team_id else None
    ancestors: tuple[UUID, ...] = ()
    if parent_id is not None:
        ancestors = (await Teams(tx, tenant_id).lines([parent_id])).get(parent_id, ())
        if not ancestors:
            raise TeamNotFound("The team above does not exist.", field="parent_team_id")
    if len(ancestors) >= tree.MOST_DEEP:
        raise TeamTooDeep(f"Teams stand {tree.MOST_DEEP} deep at most.", field="parent_team_id")
    row = models.Team(
        tenant_id=tenant_id,
        id=tx.clock.new_id(),
        parent_team_id=parent_id,
        display_name=request.display_name,
        create_time=tx.now,
    )
    tx.session.add(row)
    events.team_created(tx, row, ancestors)
    return convert.team(row, ancestors)
