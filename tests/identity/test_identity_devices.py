"""Logins as their member sees them: five at most, from where they are used, ended from afar."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import grpc
import pytest

from chassis.clock import Clock
from chassis.database import Scope
from services.identity.logins import logins
from services.identity.logins.logins import Origin, Proof
from services.identity.models import LoginMethod
from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity, MovableClock
from wrtn.identity.v1 import logins_pb2, members_pb2


async def listed(identity: Identity, signed_in: SignedIn) -> list[logins_pb2.Login]:
    """Answers the member's logins."""
    answer = await identity.logins.ListLogins(logins_pb2.ListLoginsRequest(), metadata=signed_in.metadata)
    return list(answer.logins)


async def works(identity: Identity, signed_in: SignedIn) -> bool:
    """Says whether the access token is accepted."""
    try:
        await identity.members.GetMember(
            members_pb2.GetMemberRequest(member_id="me"), metadata=signed_in.metadata
        )
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNAUTHENTICATED:
            return False
        raise
    return True


async def test_a_login_tells_device_and_address_and_when_it_was_last_used(
    identity: Identity, clock: MovableClock
) -> None:
    first = await make.member(identity)
    second = await make.sign_in(identity, first.email, metadata=make.client("2001:db8::7", "Caf%C3%A9 1.0"))
    newest, oldest = await listed(identity, first)
    assert (newest.device, newest.address, newest.current) == ("Caf\u00e9 1.0", "2001:db8::7", False)
    assert (oldest.device, oldest.address, oldest.current) == ("", "127.0.0.1", True)
    assert list(newest.methods) == [logins_pb2.LOGIN_METHOD_PASSWORD]
    clock.ahead += timedelta(minutes=10)
    await make.refresh(identity, second.pair.refresh_token, metadata=make.client("203.0.113.9", "Phone"))
    used = (await listed(identity, first))[0]
    assert (used.id, used.device, used.address) == (newest.id, "Phone", "203.0.113.9")
    passed = used.last_use_time.ToDatetime() - newest.last_use_time.ToDatetime()
    assert timedelta(minutes=10) <= passed < timedelta(minutes=11)


async def test_device_and_address_are_kept_under_the_members_key(identity: Identity) -> None:
    signed_in = await make.member(identity)
    await make.sign_in(identity, signed_in.email, metadata=make.client("203.0.113.7", "Firefox"))
    rows = await make.rows(identity, "SELECT device, address FROM wrtn_logins", signed_in.member_id)
    assert all(b"Firefox" not in (row.device or b"") for row in rows)
    assert all(b"203.0.113.7" not in row.address for row in rows)


async def test_of_six_logins_the_oldest_ends(identity: Identity) -> None:
    first = await make.member(identity)
    more = [await make.sign_in(identity, first.email) for _ in range(5)]
    assert not await works(identity, first)
    assert [await works(identity, each) for each in more] == [True] * 5
    assert len(await listed(identity, more[0])) == 5
    (event,) = await make.published(identity, "login.ended", first.member_id)
    assert event.member_id == first.member_id


async def test_of_many_who_sign_in_at_once_five_logins_stay(identity: Identity) -> None:
    first = await make.member(identity)
    member_id, account_id = UUID(first.member_id), UUID(first.account_id)
    db, keyring = identity.database.app, identity.running.runtime.keyring
    proof = Proof((LoginMethod.PASSWORD,))

    async def open_one() -> None:
        async with db.transaction(Scope.of(member_id=member_id)) as tx:
            await logins.begin(tx, keyring, member_id, account_id, proof, Origin())

    await asyncio.gather(*(open_one() for _ in range(9)))
    good = await make.rows(identity, "SELECT id FROM wrtn_logins WHERE end_time IS NULL", first.member_id)
    assert len(good) == 5
    assert len(await make.published(identity, "login.ended", first.member_id)) == 5


async def test_a_member_ends_one_login_from_another_and_may_repeat_it(identity: Identity) -> None:
    here = await make.member(identity)
    there = await make.sign_in(identity, here.email)
    other = next(each for each in await listed(identity, here) if not each.current)
    for _ in range(2):
        await identity.logins.EndLogin(logins_pb2.EndLoginRequest(login_id=other.id), metadata=here.metadata)
    assert await works(identity, here)
    assert not await works(identity, there)
    assert len(await make.published(identity, "login.ended", here.member_id)) == 1


@pytest.mark.parametrize("whose", ["another member's", "nobody's"])
async def test_the_login_of_another_is_not_known_to_exist(identity: Identity, whose: str) -> None:
    signed_in, neighbour = await make.member(identity), await make.member(identity)
    (theirs,) = await listed(identity, neighbour)
    wanted = theirs.id if whose == "another member's" else str(Clock().new_id())
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await identity.logins.EndLogin(
            logins_pb2.EndLoginRequest(login_id=wanted), metadata=signed_in.metadata
        )
    assert (refused.value.code(), make.reason(refused.value)) == (
        grpc.StatusCode.NOT_FOUND,
        "LOGIN_NOT_FOUND",
    )
    assert await works(identity, neighbour)


@pytest.mark.parametrize("keep_current", [True, False])
async def test_a_member_signs_out_everywhere_or_everywhere_else(
    identity: Identity, keep_current: bool
) -> None:
    here = await make.member(identity)
    others = [await make.sign_in(identity, here.email) for _ in range(2)]
    neighbour = await make.member(identity)
    ended = await identity.logins.EndLogins(
        logins_pb2.EndLoginsRequest(keep_current=keep_current), metadata=here.metadata
    )
    assert len(ended.login_ids) == (2 if keep_current else 3)
    assert await works(identity, here) is keep_current
    assert [await works(identity, each) for each in others] == [False, False]
    assert await works(identity, neighbour)


async def test_logins_are_listed_page_by_page(identity: Identity) -> None:
    first = await make.member(identity)
    for _ in range(4):
        await make.sign_in(identity, first.email)
    found, token = [], ""
    for _ in range(3):
        page = await identity.logins.ListLogins(
            logins_pb2.ListLoginsRequest(page_size=2, page_token=token), metadata=first.metadata
        )
        found += [each.id for each in page.logins]
        token = page.next_page_token
    assert found == [each.id for each in await listed(identity, first)]
    assert token == ""


async def test_every_way_to_sign_in_has_its_name_on_the_wire() -> None:
    names = {f"LOGIN_METHOD_{each}" for each in LoginMethod}
    assert names == set(logins_pb2.LoginMethod.keys()) - {"LOGIN_METHOD_UNSPECIFIED"}


async def test_a_member_who_is_not_active_gets_no_login(identity: Identity) -> None:
    first = await make.member(identity)
    async with identity.database.app.transaction(Scope.of(member_id=UUID(first.member_id))) as tx:
        await (await tx.driver()).execute("UPDATE wrtn_members SET state = 'PENDING'")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await make.sign_in(identity, first.email)
    assert make.reason(refused.value) == "SIGN_IN_REFUSED"
