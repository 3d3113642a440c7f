"""An honest retry of a refresh gets the same successor; everybody else's second use ends the login."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc
import pytest

from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity, MovableClock

KEY = "a retry that nobody guesses"


async def refusal(identity: Identity, token: str, account_id: str = "", request_id: str = "") -> str:
    """Answers why a refresh token is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await make.refresh(identity, token, account_id, request_id=request_id)
    return make.reason(refused.value)


async def ended(identity: Identity, signed_in: SignedIn) -> bool:
    """Says whether the login ended."""
    (row,) = await make.rows(identity, "SELECT end_time FROM wrtn_logins", signed_in.member_id)
    return row.end_time is not None


@pytest.mark.parametrize("how", ["request_id", "idempotency-key"])
async def test_a_retry_under_the_same_key_gets_the_same_successor(
    identity: Identity, clock: MovableClock, how: str
) -> None:
    signed_in = await make.member(identity)
    given = {"request_id": KEY} if how == "request_id" else {"metadata": (("idempotency-key", KEY),)}
    answers = []
    began = clock.ahead
    for seconds in (0, 10, 29):
        clock.ahead = began + timedelta(seconds=seconds)
        answers.append(await make.refresh(identity, signed_in.pair.refresh_token, **given))
    assert len({each.refresh_token for each in answers}) == 1
    assert len({each.refresh_expire_time.ToMicroseconds() for each in answers}) == 1
    assert not await ended(identity, signed_in)
    assert (await make.refresh(identity, answers[0].refresh_token)).member_id == signed_in.member_id


async def test_fifty_retries_at_once_get_the_same_successor(identity: Identity) -> None:
    signed_in = await make.member(identity)
    answers = await asyncio.gather(
        *(make.refresh(identity, signed_in.pair.refresh_token, request_id=KEY) for _ in range(50))
    )
    assert len({each.refresh_token for each in answers}) == 1
    tokens = await make.rows(identity, "SELECT token_hash FROM wrtn_refresh_tokens", signed_in.member_id)
    assert len(tokens) == 2


@pytest.mark.parametrize("how", ["later", "other key", "no key", "other account", "successor used"])
async def test_what_is_no_honest_retry_ends_the_login(
    identity: Identity, clock: MovableClock, how: str
) -> None:
    signed_in = await make.member(identity)
    account = await make.open_account(identity, signed_in.member_id)
    token = signed_in.pair.refresh_token
    first = await make.refresh(identity, token, request_id=KEY)
    if how == "later":
        clock.ahead += timedelta(seconds=31)
    elif how == "successor used":
        await make.refresh(identity, first.refresh_token)
    key = {"other key": "another", "no key": ""}.get(how, KEY)
    wanted = account.id if how == "other account" else ""
    assert await refusal(identity, token, wanted, key) == "REFRESH_TOKEN_REUSED"
    assert await ended(identity, signed_in)


async def test_one_key_gives_another_successor_for_each_token(identity: Identity) -> None:
    signed_in = await make.member(identity)
    second = await make.refresh(identity, signed_in.pair.refresh_token, request_id=KEY)
    third = await make.refresh(identity, second.refresh_token, request_id=KEY)
    assert len({signed_in.pair.refresh_token, second.refresh_token, third.refresh_token}) == 3
    rows = await make.rows(identity, "SELECT retry_hash FROM wrtn_refresh_tokens", signed_in.member_id)
    assert all(KEY.encode() not in (row.retry_hash or b"") for row in rows)


async def test_a_retry_after_the_login_ended_is_refused(identity: Identity) -> None:
    signed_in = await make.member(identity)
    token = signed_in.pair.refresh_token
    await make.refresh(identity, token, request_id=KEY)
    assert await refusal(identity, token, request_id="another") == "REFRESH_TOKEN_REUSED"
    assert await refusal(identity, token, request_id=KEY) == "REFRESH_TOKEN_REUSED"
    assert len(await make.published(identity, "login.ended", signed_in.member_id)) == 1
