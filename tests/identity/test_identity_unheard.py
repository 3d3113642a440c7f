"""Credentials while identity hears no events, and enterprise does not answer either."""

from __future__ import annotations

from uuid import UUID

import grpc
import pytest

from chassis.clock import Clock
from chassis.database import Scope
from chassis.embedded.nats import Nats
from chassis.testing.waiting import until
from services.identity.credentials import credentials
from services.identity.credentials.credentials import Wanted
from services.identity.models import PLATFORM
from tests.identity import make
from tests.identity.service import Identity
from wrtn.identity.v1.auth_pb2 import IssueServiceTokenRequest


async def test_no_answer_means_no_for_an_enterprises_credential_and_the_platforms_goes_on(
    alone: Identity, nats_server: Nats
) -> None:
    of_enterprise = await _credential(alone, Clock().new_id())
    of_platform = await _credential(alone, PLATFORM)
    await alone.running.runtime.bus.ready()
    await alone.auth.IssueServiceToken(of_enterprise)
    nats_server.stop()
    await until(lambda: _deaf(alone))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await alone.auth.IssueServiceToken(of_enterprise)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert make.reason(refused.value) == "RIGHTS_UNAVAILABLE"
    await alone.auth.IssueServiceToken(of_platform)


async def _deaf(identity: Identity) -> bool:
    return not identity.running.runtime.bus.connected


async def _credential(identity: Identity, tenant_id: UUID) -> IssueServiceTokenRequest:
    """Makes a credential; answers how it is exchanged."""
    async with identity.running.runtime.db.transaction(Scope.of(tenant_id)) as tx:
        made, secret = await credentials.create(tx, Wanted(tenant_id, "Server", ["sessions.record"]))
    return IssueServiceTokenRequest(credential_id=str(made.id), secret=secret)
