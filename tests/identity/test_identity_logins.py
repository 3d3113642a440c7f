"""Signing in, refreshing, signing out."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Literal
from uuid import UUID

import grpc
import pytest
from argon2 import Parameters, PasswordHasher, extract_parameters

from chassis.clock import Clock
from chassis.testing.waiting import until
from services.identity import bearers
from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity, MovableClock
from wrtn.identity.v1 import accounts_pb2, auth_pb2, members_pb2
from wrtn.identity.v1.auth_pb2 import TokenPair


async def works(identity: Identity, token: str) -> bool:
    """Says whether an access token is accepted."""
    try:
        await identity.members.GetMember(
            members_pb2.GetMemberRequest(member_id="me"), metadata=make.bearer(token)
        )
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNAUTHENTICATED:
            return False
        raise
    return True


async def test_signing_in_acts_as_the_personal_account_for_a_quarter_of_an_hour(
    identity: Identity, clock: MovableClock
) -> None:
    signed_in = await make.member(identity)
    left = signed_in.pair.access_expire_time.ToDatetime(clock.now().tzinfo) - clock.now()
    (account,) = await make.rows(identity, "SELECT id FROM wrtn_accounts", signed_in.member_id)
    assert signed_in.account_id == str(account.id)
    assert timedelta(minutes=14, seconds=50) < left <= timedelta(minutes=15)
    assert await works(identity, signed_in.pair.access_token)
    clock.ahead += timedelta(minutes=17)  # the verifiers allow for clocks that differ by a minute
    assert not await works(identity, signed_in.pair.access_token)


async def test_the_address_is_compared_without_case(identity: Identity) -> None:
    signed_in = await make.member(identity)
    again = await make.sign_in(identity, f" {signed_in.email.upper()}")
    assert again.member_id == signed_in.member_id


@pytest.mark.parametrize("email", ["nobody@example.com", "no address at all", "\u00fc\u202e\n"])
async def test_unknown_and_wrong_are_refused_alike(identity: Identity, email: str) -> None:
    signed_in = await make.member(identity)
    answers = []
    for address, password in ((email, make.PASSWORD), (signed_in.email, "wrong password")):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await make.sign_in(identity, address, password)
        error = refused.value
        answers.append((error.code(), make.reason(error), error.details()))
    assert answers[0] == answers[1]
    assert answers[0][:2] == (grpc.StatusCode.UNAUTHENTICATED, "SIGN_IN_REFUSED")


class Noting(PasswordHasher):
    """Notes by which parameters a password is verified: they are the time that it takes."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.noted: list[Parameters] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - the base's
        self.noted.append(extract_parameters(hash if isinstance(hash, str) else hash.decode()))
        return super().verify(hash, password)


NOTING = Noting()


@pytest.mark.parametrize("hasher", [NOTING], ids=["noting"])
async def test_an_unknown_address_costs_the_work_of_a_wrong_password(alone: Identity) -> None:
    """By the work and not by the clock, which a busy machine makes useless: nearly all of it is the hash."""
    signed_in = await make.member(alone)
    done = []
    for email in (signed_in.email, "nobody@example.com", "no address at all"):
        NOTING.noted.clear()
        with pytest.raises(grpc.aio.AioRpcError):
            await make.sign_in(alone, email, "wrong password")
        done.append(NOTING.noted.copy())
    assert done[0] == done[1] == done[2]
    assert len(done[0]) == 1


async def test_a_refresh_token_is_exchanged_for_the_next(identity: Identity) -> None:
    signed_in = await make.member(identity)
    first = signed_in.pair
    second = await make.refresh(identity, first.refresh_token)
    third = await make.refresh(identity, second.refresh_token)
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
    assert third.refresh_token.startswith("wrtn_rt_")
    assert third.account_id == first.account_id
    assert await works(identity, third.access_token)


async def test_the_second_use_of_a_refresh_token_ends_the_login(identity: Identity) -> None:
    signed_in = await make.member(identity)
    other = await make.sign_in(identity, signed_in.email)
    second = await make.refresh(identity, signed_in.pair.refresh_token)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await make.refresh(identity, signed_in.pair.refresh_token)
    assert make.reason(refused.value) == "REFRESH_TOKEN_REUSED"
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await make.refresh(identity, second.refresh_token)
    assert make.reason(ended.value) == "REFRESH_TOKEN_REFUSED"
    (event,) = await make.published(identity, "login.ended", signed_in.member_id)
    assert event.member_id == signed_in.member_id
    assert await works(identity, other.pair.access_token), "another login goes on"


async def test_access_tokens_end_within_a_second_after_a_reuse(identity: Identity) -> None:
    signed_in = await make.member(identity)
    second = await make.refresh(identity, signed_in.pair.refresh_token)
    assert await works(identity, second.access_token)
    with pytest.raises(grpc.aio.AioRpcError):
        await make.refresh(identity, signed_in.pair.refresh_token)

    async def ended() -> bool:
        return not await works(identity, second.access_token)

    await until(ended, seconds=1)


async def test_fifty_uses_of_one_token_at_once_give_one_success_and_end_the_login(identity: Identity) -> None:
    signed_in = await make.member(identity)
    outcomes = await asyncio.gather(
        *(make.refresh(identity, signed_in.pair.refresh_token) for _ in range(50)), return_exceptions=True
    )
    pairs = [each for each in outcomes if isinstance(each, TokenPair)]
    reasons = {make.reason(each) for each in outcomes if isinstance(each, grpc.aio.AioRpcError)}
    assert len(pairs) == 1
    assert reasons == {"REFRESH_TOKEN_REUSED"}
    with pytest.raises(grpc.aio.AioRpcError):
        await make.refresh(identity, pairs[0].refresh_token)
    assert len(await make.published(identity, "login.ended", signed_in.member_id)) == 1


@pytest.mark.parametrize("how", ["unknown", "forged member", "garbled", "expired", "an access token"])
async def test_a_bad_refresh_token_is_refused_alike(
    identity: Identity, clock: MovableClock, how: str
) -> None:
    signed_in = await make.member(identity)
    token = signed_in.pair.refresh_token
    if how == "unknown":
        token = bearers.bearer(bearers.REFRESH, UUID(signed_in.member_id), clock)
    elif how == "forged member":
        other = await make.member(identity)
        token = bearers.bearer(bearers.REFRESH, UUID(other.member_id), clock)[:30] + token[30:]
    elif how == "garbled":
        token = "wrtn_rt_\u00fc" + token[9:]
    elif how == "expired":
        clock.ahead += timedelta(days=30, seconds=1)
    else:
        token = signed_in.pair.access_token[:500]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await make.refresh(identity, token)
    assert make.reason(refused.value) == "REFRESH_TOKEN_REFUSED"
    assert await make.published(identity, "login.ended", signed_in.member_id) == []


async def test_each_refresh_prolongs_the_login(identity: Identity, clock: MovableClock) -> None:
    signed_in = await make.member(identity)
    clock.ahead += timedelta(days=29)
    second = await make.refresh(identity, signed_in.pair.refresh_token)
    clock.ahead += timedelta(days=29)
    third = await make.refresh(identity, second.refresh_token)
    assert await works(identity, third.access_token)


async def test_refreshing_may_change_to_an_account_that_the_member_holds(identity: Identity) -> None:
    signed_in = await make.member(identity)
    account = await make.open_account(identity, signed_in.member_id)
    second = await make.refresh(identity, signed_in.pair.refresh_token, account.id)
    third = await make.refresh(identity, second.refresh_token)
    assert second.account_id == third.account_id == account.id


@pytest.mark.parametrize("whose", ["another member's", "nobody's"])
async def test_another_account_is_refused_and_the_token_stays_good(identity: Identity, whose: str) -> None:
    signed_in = await make.member(identity)
    neighbour = await make.member(identity)
    wanted = neighbour.account_id if whose == "another member's" else str(Clock().new_id())
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await make.refresh(identity, signed_in.pair.refresh_token, wanted)
    assert (refused.value.code(), make.reason(refused.value)) == (
        grpc.StatusCode.NOT_FOUND,
        "ACCOUNT_NOT_FOUND",
    )
    assert (await make.refresh(identity, signed_in.pair.refresh_token)).account_id == signed_in.account_id


async def test_signing_out_ends_the_login_at_once_and_may_be_repeated(identity: Identity) -> None:
    signed_in = await make.member(identity)
    await identity.auth.SignOut(auth_pb2.SignOutRequest(), metadata=signed_in.metadata)
    assert not await works(identity, signed_in.pair.access_token)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await make.refresh(identity, signed_in.pair.refresh_token)
    assert make.reason(refused.value) == "REFRESH_TOKEN_REFUSED"
    assert len(await make.published(identity, "login.ended", signed_in.member_id)) == 1


async def test_refresh_tokens_are_kept_as_hashes(identity: Identity) -> None:
    signed_in = await make.member(identity)
    (row,) = await make.rows(identity, "SELECT token_hash FROM wrtn_refresh_tokens", signed_in.member_id)
    assert row.token_hash == bearers.digest(signed_in.pair.refresh_token)


async def test_a_member_sees_no_login_of_another(identity: Identity) -> None:
    members: list[SignedIn] = [await make.member(identity) for _ in range(2)]
    for each in members:
        found = await make.rows(identity, "SELECT member_id FROM wrtn_logins", each.member_id)
        assert [str(row.member_id) for row in found] == [each.member_id]
    assert await make.rows(identity, "SELECT * FROM wrtn_logins") == []


async def test_others_are_not_known_to_exist(identity: Identity) -> None:
    signed_in, neighbour = await make.member(identity), await make.member(identity)
    answers = []
    for wanted in (neighbour.member_id, str(Clock().new_id())):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await identity.members.GetMember(
                members_pb2.GetMemberRequest(member_id=wanted), metadata=signed_in.metadata
            )
        answers.append((refused.value.code(), make.reason(refused.value), refused.value.details()))
    assert answers[0] == answers[1]
    assert answers[0][0] is grpc.StatusCode.NOT_FOUND


async def test_accounts_are_listed_page_by_page_the_personal_one_first(identity: Identity) -> None:
    signed_in = await make.member(identity)
    opened = [await make.open_account(identity, signed_in.member_id) for _ in range(4)]
    found: list[str] = []
    token = ""
    for _ in range(3):
        page = await identity.accounts.ListAccounts(
            accounts_pb2.ListAccountsRequest(page_size=2, page_token=token), metadata=signed_in.metadata
        )
        found += [each.id for each in page.accounts]
        token = page.next_page_token
    assert found == [signed_in.account_id, *(each.id for each in opened)]
    assert token == ""
