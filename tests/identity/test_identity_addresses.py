"""What other services may learn of a member's addresses."""

from __future__ import annotations

from chassis.clock import Clock
from tests.identity import make
from tests.identity.service import Identity
from wrtn.identity.v1.addresses_pb2 import FindOwnersRequest, ListVerifiedAddressesRequest
from wrtn.identity.v1.addresses_pb2_grpc import AddressServiceStub


async def addresses(identity: Identity, member_id: str) -> list[str]:
    request = ListVerifiedAddressesRequest(member_id=member_id)
    async with identity.running.channel() as channel:
        answer = await AddressServiceStub(channel).ListVerifiedAddresses(request, metadata=identity.peer())
    return list(answer.addresses)


async def test_a_peer_learns_the_proven_addresses_of_an_active_member(identity: Identity) -> None:
    email = make.fresh_email()
    signed_in = await make.member(identity, email=email)
    assert await addresses(identity, signed_in.member_id) == [email]


async def test_an_address_that_is_not_proven_is_nobodys(identity: Identity) -> None:
    assert await addresses(identity, await make.pending(identity)) == []


async def test_a_member_who_does_not_exist_has_none(identity: Identity) -> None:
    assert await addresses(identity, str(Clock().new_id())) == []


async def test_a_peer_learns_who_has_verified_each_of_many_addresses(identity: Identity) -> None:
    email, unknown = make.fresh_email(), make.fresh_email()
    signed_in = await make.member(identity, email=email)
    await make.register(identity, unknown)
    request = FindOwnersRequest(addresses=[unknown, email.upper(), "nonsense"])
    async with identity.running.channel() as channel:
        answer = await AddressServiceStub(channel).FindOwners(request, metadata=identity.peer())
    assert answer.member_ids == ["", signed_in.member_id, ""]
