"""Whether the enterprises of keys and credentials stand: as events tell, or as enterprise itself says."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import grpc

from chassis.access.sources import RightsUnavailable
from chassis.database import Database, Scope, Transaction
from chassis.events.bus import Bus
from chassis.rpc.client import Peers
from services.identity import events
from services.identity.models import PLATFORM
from services.identity.store import Standing, keep_standings
from wrtn.enterprise.v1.access_pb2 import EnterpriseStanding, ResolveStandingRequest
from wrtn.enterprise.v1.access_pb2_grpc import AccessServiceStub

_PATIENCE = 1.0
"""Seconds; whoever asks who a key is waits for two."""


class Standings:
    """Asks enterprise while no event can be heard."""

    def __init__(self, db: Database, bus: Bus, peers: Peers) -> None:
        self._db = db
        self._bus = bus
        self._peers = peers

    async def confirmed(self, tenant_id: UUID) -> bool:
        """Confirms that an enterprise stands which was last known to stand.

        With the broker up what is known is good. Without it enterprise is asked, and what it says is kept: it
        stays true until an event tells of something newer. Raises RightsUnavailable if there is no answer.
        """
        if self._bus.connected or tenant_id == PLATFORM:
            return True
        found = await self._ask(tenant_id)
        if found.halted:
            async with self._db.transaction(Scope.of(tenant_id)) as tx:
                await keep(tx, [Standing(tenant_id, held=True, version=found.version)])
        return not found.halted

    async def _ask(self, tenant_id: UUID) -> EnterpriseStanding:
        request = ResolveStandingRequest(enterprise_id=str(tenant_id))
        try:
            return await self._peers.stub(AccessServiceStub, "enterprise").ResolveStanding(
                request, timeout=_PATIENCE
            )
        except grpc.aio.AioRpcError as error:
            raise RightsUnavailable(
                "It cannot be told whether the enterprise of the key stands; try again.", retry_after=1
            ) from error


async def keep(tx: Transaction, standings: Iterable[Standing]) -> None:
    """Keeps the newest of each enterprise and tells of it: only now does asking again bring a new answer."""
    newest = {each.tenant_id: each for each in sorted(standings, key=lambda each: each.version)}
    for each in await keep_standings(tx, list(newest.values())):
        events.enterprise_hold_changed(tx, each.tenant_id, each.version)
