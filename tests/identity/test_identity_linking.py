"""Identities at providers: linked by their member alone, told of, and unlinked."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.identity import make
from tests.identity.federating import CODE, REFUSED, World, outcome
from tests.identity.service import MovableClock
from tests.identity.smtp_server import text_of
from wrtn.identity.v1 import (
    federation_pb2,
)


async def test_of_many_who_have_one_new_address_at_once_one_member_is_made(world: World) -> None:
    email = make.fresh_email()
    made = await asyncio.gather(*(world.sign_in("mina", email) for _ in range(4)))
    assert len({each.member_id for each in made}) == 1
    opened = await make.published(world.identity, "account.opened", made[0].member_id)
    assert [each.holder_member_id for each in opened] == [made[0].member_id]


async def test_two_members_never_have_one_identity_however_fast_they_link_it(world: World) -> None:
    people = [await make.member(world.identity) for _ in range(3)]
    ends = await asyncio.gather(
        *(outcome(world.link(each, "mina", make.fresh_email())) for each in people), return_exceptions=False
    )
    assert sorted(each[1] for each in ends) == ["", "IDENTITY_TAKEN", "IDENTITY_TAKEN"]
    assert [len(await world.linked(each)) for each in people].count(1) == 1


async def test_a_link_is_completed_by_who_began_it_alone(world: World) -> None:
    mine, other = await make.member(world.identity), await make.member(world.identity)
    begun = await world.identity.federation.BeginIdentityLink(
        federation_pb2.BeginIdentityLinkRequest(provider_id="test"), metadata=mine.metadata
    )
    code, state = world.provider.authorize(begun.authorization_url, "mina", make.fresh_email())
    request = federation_pb2.CompleteIdentityLinkRequest(code=code, state=state, binding=begun.binding)
    wrong = world.identity.federation.CompleteIdentityLink(request, metadata=other.metadata)
    assert await outcome(wrong) == REFUSED
    signing_in = await world.begin()
    code, state = world.provider.authorize(signing_in.authorization_url, "mina", make.fresh_email())
    request = federation_pb2.CompleteIdentityLinkRequest(code=code, state=state, binding=signing_in.binding)
    wrong = world.identity.federation.CompleteIdentityLink(request, metadata=mine.metadata)
    assert await outcome(wrong) == REFUSED


async def test_linking_wants_a_proof_of_who_has_not_just_signed_in(world: World, clock: MovableClock) -> None:
    mine = await make.member(world.identity)
    clock.ahead += timedelta(minutes=11)
    refused = await outcome(world.link(mine, "mina", make.fresh_email()))
    assert refused == (CODE.FAILED_PRECONDITION, "PROOF_MISSING")


async def test_the_last_way_to_sign_in_is_not_unlinked_also_by_two_at_once(world: World) -> None:
    mine = await world.sign_in("mina", make.fresh_email())
    (only,) = await world.linked(mine)
    refused = await outcome(world.unlink(mine, only.id))
    assert refused == (CODE.FAILED_PRECONDITION, "LAST_WAY_TO_SIGN_IN")
    other = await world.link(mine, "mina elsewhere", make.fresh_email())
    ends = await asyncio.gather(*(outcome(world.unlink(mine, each.id)) for each in (only, other)))
    assert sorted(each[1] for each in ends) == ["", "LAST_WAY_TO_SIGN_IN"]
    assert len(await world.linked(mine)) == 1


async def test_who_has_a_password_unlinks_and_the_identity_is_free_again(world: World) -> None:
    mine, other = await make.member(world.identity), await make.member(world.identity)
    linked = await world.link(mine, "mina", make.fresh_email())
    assert await outcome(world.unlink(other, linked.id)) == (CODE.NOT_FOUND, "IDENTITY_NOT_FOUND")
    await world.unlink(mine, linked.id)
    assert await world.linked(mine) == []
    assert (await world.link(other, "mina", make.fresh_email())).id


async def test_linking_and_unlinking_are_told_by_mail_and_end_no_login(world: World) -> None:
    mine = await make.member(world.identity)
    linked = await world.link(mine, "mina", mine.email)
    in_by_it = await world.sign_in("mina", mine.email)
    await world.unlink(mine, linked.id)
    assert await make.works(world.identity, mine)
    assert await make.works(world.identity, in_by_it)
    await world.identity.mailbox.wait_for(mine.email, 2)
    told = [text_of(each) for each in world.identity.mailbox.to(mine.email)]
    assert sum("was linked" in each for each in told) == 1
    assert sum("was unlinked" in each for each in told) == 1
