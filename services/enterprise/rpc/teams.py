"""wrtn.enterprise.v1 TeamService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis.call import current
from chassis.idempotency import once
from chassis.paging import Page
from chassis.service import Runtime
from chassis.settings import ServiceSettings
from services.enterprise import convert, store, teams
from services.enterprise.errors import TeamNotFound
from services.enterprise.identity import Identity
from services.enterprise.rpc.asking import after, sure
from wrtn.enterprise.v1 import teams_pb2
from wrtn.enterprise.v1.teams_pb2_grpc import TeamServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class Teams(TeamServiceServicer):
    """Makes and shows teams, and appoints and shows their companions."""

    def __init__(self, runtime: Runtime[ServiceSettings], identity: Identity) -> None:
        self._runtime = runtime
        self._identity = identity

    async def CreateTeam(self, request: teams_pb2.CreateTeamRequest, context: Context) -> teams_pb2.Team:
        """Creates the team."""
        return await once(
            self._runtime.db, current().caller.scope, request, lambda tx: teams.create(tx, request)
        )

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
        """Lists the teams, or the direct sub-teams of one."""
        page = Page.of(request)
        parent_id = UUID(request.parent_team_id) if request.parent_team_id else None
        async with self._runtime.db.snapshot(current().caller.scope) as tx:
            known = store.Teams(tx, UUID(request.enterprise_id))
            if parent_id is not None and await known.get(parent_id) is None:
                raise TeamNotFound("The team above does not exist.", field="parent_team_id")
            found = await known.page(after(page, UUID), page.size + 1, parent_id)
            rows, token = page.cut(found, key=lambda row: (str(row.id),))
            lines = await known.lines([row.id for row in rows])
        return teams_pb2.ListTeamsResponse(
            teams=[convert.team(row, lines[row.id][1:]) for row in rows], next_page_token=token
        )

    async def AppointCompanion(
        self, request: teams_pb2.AppointCompanionRequest, context: Context
    ) -> teams_pb2.Companion:
        """Appoints the employee to a role in the team; from then on this process knows it."""
        runtime, caller = self._runtime, current().caller
        await self._identity.require_acting(caller)
        account_id = sure(caller.account_id)
        appointed = await once(
            runtime.db,
            caller.scope,
            request,
            lambda tx: teams.appoint(tx, runtime.keyring, account_id, request),
        )
        # The event does the same in every process, a moment later.
        runtime.access.drop([UUID(request.enterprise_id)])
        return appointed

    async def ListCompanions(
        self, request: teams_pb2.ListCompanionsRequest, context: Context
    ) -> teams_pb2.ListCompanionsResponse:
        """Lists the companions of the team."""
        page = Page.of(request)
        tenant_id, team_id = UUID(request.enterprise_id), UUID(request.team_id)
        async with self._runtime.db.snapshot(current().caller.scope) as tx:
            if await store.Teams(tx, tenant_id).get(team_id) is None:
                raise TeamNotFound("The team does not exist.", field="team_id")
            found = await store.Companions(tx, tenant_id).page(team_id, after(page, UUID), page.size + 1)
        rows, token = page.cut(found, key=lambda row: (str(row.id),))
        return teams_pb2.ListCompanionsResponse(
            companions=[convert.companion(row) for row in rows], next_page_token=token
        )
