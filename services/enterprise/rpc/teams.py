"""wrtn.enterprise.v1 TeamService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis.call import current
from chassis.database import Scope
from chassis.paging import Page
from chassis.service import Runtime
from services.enterprise import convert, store
from services.enterprise.errors import TeamNotFound
from services.enterprise.people import companions
from services.enterprise.rpc.deciding import Deciding
from services.enterprise.settings import EnterpriseSettings
from services.enterprise.teams import moving, teams
from wrtn.enterprise.v1 import teams_pb2
from wrtn.enterprise.v1.teams_pb2_grpc import TeamServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class Teams(TeamServiceServicer):
    """Makes and shows teams, and appoints and shows their companions."""

    def __init__(self, runtime: Runtime[EnterpriseSettings], deciding: Deciding) -> None:
        self._runtime = runtime
        self._deciding = deciding

    async def CreateTeam(self, request: teams_pb2.CreateTeamRequest, context: Context) -> teams_pb2.Team:
        """Creates the team."""
        return await self._deciding.decide(request.enterprise_id, request, teams.create)

    async def UpdateTeam(self, request: teams_pb2.UpdateTeamRequest, context: Context) -> teams_pb2.Team:
        """Renames the team."""
        return await self._deciding.decide(request.enterprise_id, request, teams.update)

    async def MoveTeam(self, request: teams_pb2.MoveTeamRequest, context: Context) -> teams_pb2.Team:
        """Moves the team."""
        return await self._deciding.decide(request.enterprise_id, request, moving.move)

    async def ArchiveTeam(self, request: teams_pb2.ArchiveTeamRequest, context: Context) -> teams_pb2.Team:
        """Archives the team."""
        return await self._deciding.decide(request.enterprise_id, request, teams.archive)

    async def RestoreTeam(self, request: teams_pb2.RestoreTeamRequest, context: Context) -> teams_pb2.Team:
        """Restores the team."""
        return await self._deciding.decide(request.enterprise_id, request, teams.restore)

    async def GetTeam(self, request: teams_pb2.GetTeamRequest, context: Context) -> teams_pb2.Team:
        """Gets the team with the teams above it."""
        async with self._runtime.db.snapshot(current().caller.scope) as tx:
            found = store.Teams(tx, UUID(request.enterprise_id))
            row = await found.get(UUID(request.team_id))
            if row is None:
                raise TeamNotFound("The team does not exist.", field="team_id")
            return convert.team(row, (await found.lines([row.id]))[row.id][1:])

    async def ListTeams(
        self, request: teams_pb2.ListTeamsRequest, context: Context
    ) -> teams_pb2.ListTeamsResponse:
        """Lists the teams, or the direct sub-teams of one or of the top in their order."""
        page = Page.of(request)
        parent_id = UUID(request.parent_team_id) if request.parent_team_id else None
        archived = request.state == teams_pb2.TEAM_STATE_ARCHIVED
        async with self._runtime.db.snapshot(current().caller.scope) as tx:
            known = store.Teams(tx, UUID(request.enterprise_id))
            if parent_id is not None and await known.get(parent_id) is None:
                raise TeamNotFound("The team above does not exist.", field="parent_team_id")
            place = page.after(_place)
            if parent_id is not None or request.top:
                found = await known.children(parent_id, place, page.size + 1, archived=archived)
            else:
                found = await known.page(place and place[1], page.size + 1, archived=archived)
            rows, token = page.cut(found, key=lambda row: (str(row.id), str(row.rank)))
            lines = await known.lines([row.id for row in rows])
        return teams_pb2.ListTeamsResponse(
            teams=[convert.team(row, lines[row.id][1:]) for row in rows], next_page_token=token
        )

    async def LookUpTeamNames(
        self, request: teams_pb2.LookUpTeamNamesRequest, context: Context
    ) -> teams_pb2.LookUpTeamNamesResponse:
        """Answers a peer what teams are called."""
        enterprise_id = UUID(request.enterprise_id)
        async with self._runtime.db.snapshot(Scope.of(enterprise_id)) as tx:
            found = await store.Teams(tx, enterprise_id).names([UUID(each) for each in request.team_ids])
        names = {str(team_id): name for team_id, name in found.items()}
        return teams_pb2.LookUpTeamNamesResponse(display_names=names)

    async def AppointCompanion(
        self, request: teams_pb2.AppointCompanionRequest, context: Context
    ) -> teams_pb2.Companion:
        """Appoints the employee to a role in the team."""
        return await self._deciding.decide(request.enterprise_id, request, companions.appoint)

    async def RemoveCompanion(
        self, request: teams_pb2.RemoveCompanionRequest, context: Context
    ) -> teams_pb2.RemoveCompanionResponse:
        """Takes the employee out of the team."""
        return await self._deciding.decide(request.enterprise_id, request, companions.remove)

    async def LeaveTeam(
        self, request: teams_pb2.LeaveTeamRequest, context: Context
    ) -> teams_pb2.LeaveTeamResponse:
        """Takes the caller out of the team."""
        return await self._deciding.decide(request.enterprise_id, request, companions.leave)

    async def ListCompanions(
        self, request: teams_pb2.ListCompanionsRequest, context: Context
    ) -> teams_pb2.ListCompanionsResponse:
        """Lists the companions of the team."""
        page = Page.of(request)
        tenant_id, team_id = UUID(request.enterprise_id), UUID(request.team_id)
        async with self._runtime.db.snapshot(current().caller.scope) as tx:
            if await store.Teams(tx, tenant_id).get(team_id) is None:
                raise TeamNotFound("The team does not exist.", field="team_id")
            found = await store.Companions(tx, tenant_id).page(team_id, page.after(UUID), page.size + 1)
        rows, token = page.cut(found, key=lambda row: (str(row.id),))
        return teams_pb2.ListCompanionsResponse(
            companions=[convert.companion(row) for row in rows], next_page_token=token
        )


def _place(team_id: str, rank: str) -> tuple[int, UUID]:
    """Reads the place among siblings after which the page begins."""
    return int(rank), UUID(team_id)
