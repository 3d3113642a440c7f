"""Members whom the directory of an enterprise names."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import grpc
import pytest

from tests.identity import make
from tests.identity.service import Identity
from wrtn.identity.v1.provisioning_pb2 import ProvisionMemberRequest, ProvisionMemberResponse
from wrtn.identity.v1.provisioning_pb2_grpc import ProvisioningServiceStub


async def provision(identity: Identity, email: str, name: str = "") -> ProvisionMemberResponse:
    request = ProvisionMemberRequest(enterprise_id=str(uuid4()), email=email, display_name=name)
    async with identity.running.channel() as channel:
        return await ProvisioningServiceStub(channel).ProvisionMember(request, metadata=identity.peer())


async def test_who_has_the_address_is_answered_and_nobody_is_made(identity: Identity) -> None:
    email = make.fresh_email()
    signed_in = await make.member(identity, email=email)
    found = await provision(identity, email.upper())
    assert (found.member_id, found.created) == (signed_in.member_id, False)


async def test_an_unknown_address_makes_one_active_member_without_a_password_also_at_the_same_moment(
    identity: Identity,
) -> None:
    email = make.fresh_email()
    found = await asyncio.gather(*(provision(identity, email, "Mina") for _ in range(5)))
    assert len({each.member_id for each in found}) == 1
    assert [each.created for each in found].count(True) == 1
    rows = await make.as_superuser(
        identity, f"SELECT state, password_hash FROM wrtn_members WHERE id = '{found[0].member_id}'"
    )
    assert rows == [("ACTIVE", "")]
    audited = [action for action, _ in await make.audited(identity, found[0].member_id)]
    assert audited.count("member.provisioned") == 1


async def test_who_is_not_active_is_not_answered(identity: Identity) -> None:
    email = make.fresh_email()
    signed_in = await make.member(identity, email=email)
    await make.as_superuser(
        identity, f"UPDATE wrtn_members SET state = 'SUSPENDED' WHERE id = '{signed_in.member_id}'"
    )
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await provision(identity, email)
    assert make.reason(error.value) == "MEMBER_NOT_ACTIVE"
