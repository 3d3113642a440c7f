"""What teams are called: asked of enterprise before an invoice is drawn up, since events carry ids alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

import grpc
import structlog

from chassis.database import Database, Scope
from chassis.errors import DomainError
from chassis.rpc.client import Peers
from services.billing.invoices.drafting import Drafter
from services.billing.store.billed import Billed, Closings
from services.billing.store.invoices import Invoices
from services.billing.store.wallets import NEVER
from wrtn.enterprise.v1.teams_pb2 import LookUpTeamNamesRequest
from wrtn.enterprise.v1.teams_pb2_grpc import TeamServiceStub

_MOST = 1000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TeamNames:
    """Asks for them outside of transactions, which are never held across a call to a peer."""

    database: Database
    peers: Peers

    async def known_to(self, drafter: Drafter, tenant_id: UUID) -> Drafter:
        """Answers a drafter that knows the teams with something that is on no finalised invoice yet."""
        async with self.database.snapshot(Scope.of(tenant_id)) as snapshot:
            closing, billed = await Closings(snapshot, tenant_id).get(), Billed(snapshot, tenant_id)
            start = await Invoices(snapshot, tenant_id).first_open(closing.end_time)
            teams = {each.team_id for each in await billed.sums(start, NEVER)}
            teams |= {each.team_id for each in await billed.increases(start, NEVER)}
        return replace(drafter, names=await self._look_up(tenant_id, teams))

    async def _look_up(self, tenant_id: UUID, team_ids: Iterable[UUID | None]) -> Mapping[UUID, str]:
        """Answers the names; those for which enterprise cannot be asked now are missing."""
        wanted = sorted(str(each) for each in team_ids if each is not None)
        names: dict[UUID, str] = {}
        for first in range(0, len(wanted), _MOST):
            request = LookUpTeamNamesRequest(
                enterprise_id=str(tenant_id), team_ids=wanted[first : first + _MOST]
            )
            try:
                answer = await self.peers.stub(TeamServiceStub, "enterprise").LookUpTeamNames(request)
            except (grpc.aio.AioRpcError, DomainError) as error:
                _log.warning("team_names.unknown", tenant_id=str(tenant_id), error=repr(error))
                return names
            names |= {UUID(team_id): name for team_id, name in answer.display_names.items()}
        return names
