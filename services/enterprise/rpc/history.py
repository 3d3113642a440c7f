"""wrtn.enterprise.v1 HistoryService."""

from __future__ import annotations

from datetime import UTC
from typing import Any, cast
from uuid import UUID

import grpc

from chassis.call import current
from chassis.database import Database
from chassis.paging import Page
from services.enterprise import convert
from services.enterprise.errors import EmployeeNotFound, TeamNotFound
from services.enterprise.store import Employees, Teams
from services.enterprise.store.history import History, key
from wrtn.access.v1.access_pb2 import Title
from wrtn.enterprise.v1 import history_pb2
from wrtn.enterprise.v1.history_pb2_grpc import HistoryServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class Histories(HistoryServiceServicer):
    """Answers questions about the past."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def ListTeamsAt(
        self, request: history_pb2.ListTeamsAtRequest, context: Context
    ) -> history_pb2.ListTeamsAtResponse:
        """Lists the organisation chart of the moment."""
        page = Page.of(request)
        at = request.at_time.ToDatetime(tzinfo=UTC)
        async with self._db.snapshot(current().caller.scope) as tx:
            history = History(tx, UUID(request.enterprise_id))
            found = await history.teams(at, page.after(UUID), page.size + 1)
            rows, token = page.cut(found, key=lambda row: (str(row.team_id),))
            chiefs = await history.chiefs(at, [row.team_id for row in rows])
        return history_pb2.ListTeamsAtResponse(
            teams=[convert.team_at(row, chiefs.get(row.team_id, [])) for row in rows], next_page_token=token
        )

    async def ListCompanionsAt(
        self, request: history_pb2.ListCompanionsAtRequest, context: Context
    ) -> history_pb2.ListCompanionsAtResponse:
        """Lists who was what in the team."""
        page = Page.of(request)
        tenant_id, team_id = UUID(request.enterprise_id), UUID(request.team_id)
        at = request.at_time.ToDatetime(tzinfo=UTC)
        async with self._db.snapshot(current().caller.scope) as tx:
            await _require_team(Teams(tx, tenant_id), team_id)
            history = History(tx, tenant_id)
            found = await history.companions(at, team_id, request.role, page.after(_place), page.size + 1)
        rows, token = page.cut(found, key=lambda row: (str(key(row)[0]), str(key(row)[1])))
        return history_pb2.ListCompanionsAtResponse(
            companions=[convert.companion_at(row) for row in rows], next_page_token=token
        )

    async def GetEmployeeAt(
        self, request: history_pb2.GetEmployeeAtRequest, context: Context
    ) -> history_pb2.EmployeeAt:
        """Gets what the person was."""
        tenant_id, employee_id = UUID(request.enterprise_id), UUID(request.employee_id)
        at = request.at_time.ToDatetime(tzinfo=UTC)
        async with self._db.snapshot(current().caller.scope) as tx:
            if await Employees(tx, tenant_id).get(employee_id) is None:
                raise EmployeeNotFound("The employee does not exist.", field="employee_id")
            history = History(tx, tenant_id)
            title = await history.title(at, employee_id)
            duties = await history.duties(at, employee_id)
            rights = await history.rights(at, employee_id)
        return history_pb2.EmployeeAt(
            employee_id=request.employee_id,
            title=cast("Title.ValueType", title),
            duties=convert.duties(duties),
            roles=[convert.role_at(each) for each in rights if each.absent_id is None],
            deputies=[convert.deputy_at(each) for each in rights if each.absent_id is not None],
        )

    async def ListTeamChanges(
        self, request: history_pb2.ListTeamChangesRequest, context: Context
    ) -> history_pb2.ListTeamChangesResponse:
        """Lists what happened to the team, the newest first."""
        page = Page.of(request)
        tenant_id, team_id = UUID(request.enterprise_id), UUID(request.team_id)
        async with self._db.snapshot(current().caller.scope) as tx:
            await _require_team(Teams(tx, tenant_id), team_id)
            found = await History(tx, tenant_id).changes(team_id, page.after(int), page.size + 1)
        rows, token = page.cut(found, key=lambda row: (str(row.sequence),))
        return history_pb2.ListTeamChangesResponse(
            team_changes=[convert.team_change(row) for row in rows], next_page_token=token
        )


async def _require_team(teams: Teams, team_id: UUID) -> None:
    if await teams.get(team_id) is None:
        raise TeamNotFound("The team does not exist.", field="team_id")


def _place(first: str, second: str) -> tuple[UUID, UUID]:
    return UUID(first), UUID(second)
