"""Rights while no event can be told."""

from __future__ import annotations

import grpc
import pytest

from chassis.embedded.nats import Nats
from tests.enterprise.make import World
from wrtn.access.v1.access_pb2 import ROLE_CHIEF


@pytest.mark.fresh
async def test_a_role_given_counts_at_once_though_no_event_can_tell_of_it(
    world: World, nats_server: Nats
) -> None:
    owner = await world.owner()
    team_id = await world.team(owner)
    worker = await world.hire(owner)
    nats_server.stop()
    with pytest.raises(grpc.aio.AioRpcError):
        await world.team(worker, team_id)
    await world.appoint(owner, team_id, worker, ROLE_CHIEF)
    await world.team(worker, team_id)
