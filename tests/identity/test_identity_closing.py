"""Ending a membership."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import grpc
import pytest

from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity, MovableClock
from tests.identity.smtp_server import text_of
from tests.identity.test_identity_api_keys import create, works
from wrtn.identity.v1.members_pb2 import CloseMemberRequest, Member


async def close(
    identity: Identity, member: SignedIn, password: str = make.PASSWORD, member_id: str = "me"
) -> Member:
    """Closes a membership."""
    request = CloseMemberRequest(member_id=member_id, password=password)
    return await identity.members.CloseMember(request, metadata=member.metadata)


async def test_a_closed_membership_ends_every_login_and_admits_no_other(identity: Identity) -> None:
    member = await make.member(identity)
    other = await make.sign_in(identity, member.email)
    closed = await close(identity, member)
    assert closed.state == Member.STATE_CLOSED
    assert not await make.works(identity, member)
    assert not await make.works(identity, other)
    for pair in (member.pair, other.pair):
        with pytest.raises(grpc.aio.AioRpcError):
            await make.refresh(identity, pair.refresh_token)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await make.sign_in(identity, member.email)
    assert make.reason(refused.value) == "MEMBER_CLOSED"
    (event,) = await make.published(identity, "member.closed", member.member_id)
    assert event.member_id == member.member_id
    assert len(await make.published(identity, "login.ended", member.member_id)) == 2
    reasons = await make.rows(identity, "SELECT end_reason FROM wrtn_logins", member.member_id)
    assert {row.end_reason for row in reasons} == {"MEMBER_CLOSED"}
    assert ("member.closed", UUID(member.member_id)) in await make.audited(identity, member.member_id)
    assert "closed" in text_of(await identity.mailbox.wait_for(member.email))


async def test_only_who_knows_the_password_learns_of_the_closing(identity: Identity) -> None:
    member = await make.member(identity)
    await close(identity, member)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await make.sign_in(identity, member.email, "a wrong passphrase")
    assert make.reason(refused.value) == "SIGN_IN_REFUSED"


async def test_closing_needs_the_password_once_more(identity: Identity) -> None:
    member = await make.member(identity)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await close(identity, member, "a wrong passphrase")
    assert make.reason(refused.value) == "PASSWORD_WRONG"
    assert await make.works(identity, member)
    assert await make.published(identity, "member.closed", member.member_id) == []


async def test_nobody_closes_anothers_membership(identity: Identity) -> None:
    member, other = await make.member(identity), await make.staff(identity)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await close(identity, other, member_id=member.member_id)
    assert make.reason(refused.value) == "MEMBER_NOT_FOUND"
    assert await make.works(identity, member)


async def test_staff_do_not_close_while_they_hold_the_right(identity: Identity) -> None:
    moderator = await make.staff(identity)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await close(identity, moderator)
    assert make.reason(refused.value) == "MEMBER_IS_STAFF"
    assert await make.works(identity, moderator)


async def test_the_address_of_a_closed_membership_stays_taken(identity: Identity) -> None:
    member = await make.member(identity)
    await close(identity, member)
    await make.register(identity, member.email)
    mail = await identity.mailbox.wait_for(member.email, 2)
    assert "already registered" in mail["Subject"]


async def test_who_has_just_signed_in_closes_without_a_password_and_nobody_later(
    identity: Identity, clock: MovableClock
) -> None:
    member, other = await make.member(identity), await make.member(identity)
    # As one who signs in by another provider has none.
    both = f"id IN ('{member.member_id}', '{other.member_id}')"
    await make.as_superuser(identity, f"UPDATE wrtn_members SET password_hash = '' WHERE {both}")
    clock.ahead += timedelta(minutes=9)
    assert (await close(identity, member, "")).state == Member.STATE_CLOSED
    clock.ahead += timedelta(minutes=2)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await close(identity, other, "")
    assert make.reason(refused.value) == "PROOF_MISSING"
    assert await make.works(identity, other)


async def test_a_wrong_password_is_refused_also_of_who_has_just_signed_in(identity: Identity) -> None:
    member = await make.member(identity)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await close(identity, member, "a wrong passphrase")
    assert make.reason(refused.value) == "PASSWORD_WRONG"


async def test_the_api_keys_of_a_closed_membership_do_nothing(identity: Identity) -> None:
    member = await make.member(identity)
    made = await create(identity, member)
    assert await works(identity, made.key)
    await close(identity, member)
    assert not await works(identity, made.key)
