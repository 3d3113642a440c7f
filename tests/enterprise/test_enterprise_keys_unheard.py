"""Keys and credentials of an enterprise that is halted while no event can tell of it."""

from __future__ import annotations

import pytest

from chassis.embedded.nats import Nats
from chassis.testing.callers import Metadata
from chassis.testing.waiting import until
from tests.enterprise.make import refused
from tests.enterprise.test_enterprise_keys import ADMITTED_NOWHERE, CODE, ENDED, Both, both
from tests.identity import make
from tests.identity.make import SignedIn
from wrtn.enterprise.v1.enterprises_pb2 import (
    GetEnterpriseRequest,
    ReinstateEnterpriseRequest,
    SuspendEnterpriseRequest,
    SuspensionCause,
)
from wrtn.identity.v1.api_keys_pb2 import CreateEnterpriseApiKeyRequest
from wrtn.identity.v1.auth_pb2 import IssueServiceTokenRequest
from wrtn.identity.v1.credentials_pb2 import CreateServiceCredentialRequest

__all__ = ["both"]

pytestmark = pytest.mark.asyncio(loop_scope="module")
REFUSED = (CODE.UNAUTHENTICATED, "CREDENTIAL_REFUSED")


async def test_without_events_they_are_refused_once_kept_answers_are_over(
    both: Both, nats_server: Nats
) -> None:
    enterprise_id, _, owner = await both.owner()
    staff = await make.staff(both.identity)
    exchange = await _credential(both, owner, enterprise_id)
    token = make.bearer((await both.identity.auth.IssueServiceToken(exchange)).access_token)
    key, of_member = await _key(both, owner, enterprise_id), await both.key(owner, "read")
    other_id, _, neighbour = await both.owner()
    theirs = await both.key(neighbour, "read")
    own = await both.key(await make.member(both.identity), "read")
    nats_server.stop()
    await until(lambda: _deaf(both))

    await _later(both)
    for metadata in (key, token):
        assert await both.answer(enterprise_id, metadata) == ADMITTED_NOWHERE
    get = GetEnterpriseRequest(enterprise_id=enterprise_id)
    assert (await both.enterprises.GetEnterprise(get, metadata=of_member)).id == enterprise_id

    suspend = SuspendEnterpriseRequest(
        enterprise_id=enterprise_id, cause=SuspensionCause.SUSPENSION_CAUSE_TERMS, reason="Spam."
    )
    await both.enterprises.SuspendEnterprise(suspend, metadata=staff.metadata)
    await _later(both)
    for metadata in (key, token, of_member):
        assert await both.answer(enterprise_id, metadata) == ENDED
    assert await refused(both.identity.auth.IssueServiceToken(exchange)) == REFUSED
    get = GetEnterpriseRequest(enterprise_id=other_id)
    assert (await both.enterprises.GetEnterprise(get, metadata=theirs)).id == other_id
    assert await both.answer(other_id, own) == (CODE.NOT_FOUND, "NOT_FOUND")

    # What was learned by asking stays true when events come again, until one tells of something newer.
    nats_server.start()
    await until(lambda: _hears(both))
    await _later(both)
    assert await both.answer(enterprise_id, key) == ENDED
    reinstate = ReinstateEnterpriseRequest(enterprise_id=enterprise_id, reason="A mistake.")
    await both.enterprises.ReinstateEnterprise(reinstate, metadata=staff.metadata)

    async def works() -> bool:
        return await both.answer(enterprise_id, key) == ADMITTED_NOWHERE

    await until(works)


async def _later(both: Both) -> None:
    """Lets the seconds pass for which answers about callers are kept."""
    for runtime in (both.identity.running.runtime, both.enterprise.runtime):
        runtime.principals.clear()


async def _deaf(both: Both) -> bool:
    return not (both.identity.running.runtime.bus.connected or both.enterprise.runtime.bus.connected)


async def _hears(both: Both) -> bool:
    return both.identity.running.runtime.bus.connected and both.enterprise.runtime.bus.connected


async def _key(both: Both, owner: SignedIn, enterprise_id: str) -> Metadata:
    asked = CreateEnterpriseApiKeyRequest(
        enterprise_id=enterprise_id, display_name="Directory", scopes=["scim.provision"]
    )
    return make.bearer((await both.identity.keys.CreateEnterpriseApiKey(asked, metadata=owner.metadata)).key)


async def _credential(both: Both, owner: SignedIn, enterprise_id: str) -> IssueServiceTokenRequest:
    """Makes a service credential; answers how it is exchanged."""
    wanted = CreateServiceCredentialRequest(
        enterprise_id=enterprise_id, display_name="Server", scopes=["sessions.record"]
    )
    made = await both.identity.credentials.CreateServiceCredential(wanted, metadata=owner.metadata)
    return IssueServiceTokenRequest(credential_id=made.credential.id, secret=made.secret)
