"""Guessing: ten wrong tries in a quarter of an hour, over all replicas, and the owner is not locked out."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from grpc_status import rpc_status

from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity, MovableClock

WRONG = "wrong password"


async def guess(
    identity: Identity, email: str, password: str = WRONG, *, device_token: str = "", address: str = ""
) -> grpc.aio.AioRpcError:
    """Tries to sign in and answers the refusal."""
    metadata = make.client(address) if address else ()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await make.sign_in(identity, email, password, metadata, device_token)
    return refused.value


def retry_seconds(error: grpc.aio.AioRpcError) -> int:
    """Answers when to come again."""
    status = rpc_status.from_call(error)
    info = RetryInfo()
    assert status is not None
    assert any(detail.Unpack(info) for detail in status.details)
    return int(info.retry_delay.seconds)


def shown(error: grpc.aio.AioRpcError) -> tuple[object, ...]:
    """Answers all that a stranger can tell."""
    return error.code(), make.reason(error), error.details()


async def test_of_thirty_tries_at_once_on_two_replicas_ten_are_judged(
    identity: Identity, replica: Identity
) -> None:
    signed_in = await make.member(identity)
    tries = [guess((identity, replica)[number % 2], signed_in.email) for number in range(30)]
    reasons = [make.reason(each) for each in await asyncio.gather(*tries)]
    assert sorted(reasons) == ["SIGN_IN_REFUSED"] * 10 + ["TOO_MANY_TRIES"] * 20


async def test_a_right_password_is_refused_after_ten_wrong_ones_until_a_quarter_of_an_hour_has_passed(
    identity: Identity, replica: Identity, clock: MovableClock
) -> None:
    signed_in = await make.member(identity)
    for _ in range(10):
        clock.ahead += timedelta(minutes=1)
        await guess(identity, signed_in.email)
    refused = await guess(replica, signed_in.email, make.PASSWORD)
    assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert 5 * 60 <= retry_seconds(refused) <= 6 * 60
    clock.ahead += timedelta(minutes=6, seconds=5)
    assert (await make.sign_in(replica, signed_in.email)).member_id == signed_in.member_id
    await guess(replica, signed_in.email)
    refused = await guess(replica, signed_in.email)
    assert make.reason(refused) == "TOO_MANY_TRIES", "the other nine still count"


async def test_an_unknown_address_counts_and_blocks_alike(alone: Identity) -> None:
    signed_in = await make.member(alone)
    answers = {
        email: [shown(await guess(alone, email)) for _ in range(12)]
        for email in (signed_in.email, "nobody@example.com")
    }
    assert answers[signed_in.email] == answers["nobody@example.com"]
    assert answers[signed_in.email][-1][1] == "TOO_MANY_TRIES"
    rows = await make.as_superuser(alone, "SELECT cardinality(tries) FROM wrtn_guesses ORDER BY 1")
    assert rows == [(10,)] * 4 + [(20,)], "a row an address and a row a member, whether there is one"


async def test_strangers_do_not_lock_the_owner_out_of_a_known_device(
    identity: Identity, replica: Identity
) -> None:
    owner = await make.member(identity)
    for _ in range(11):
        refused = await guess(identity, owner.email, address="203.0.113.66")
    assert make.reason(refused) == "TOO_MANY_TRIES"
    again = await make.sign_in(replica, owner.email, device_token=owner.pair.device_token)
    assert again.member_id == owner.member_id
    assert again.pair.device_token == owner.pair.device_token


async def test_a_known_device_has_ten_tries_too_and_takes_none_from_others(identity: Identity) -> None:
    owner = await make.member(identity)
    reasons = [
        make.reason(await guess(identity, owner.email, device_token=owner.pair.device_token))
        for _ in range(11)
    ]
    assert reasons == ["SIGN_IN_REFUSED"] * 10 + ["TOO_MANY_TRIES"]
    assert (await make.sign_in(identity, owner.email)).member_id == owner.member_id


@pytest.mark.parametrize("token", ["another member's", "expired", "garbled"])
async def test_a_device_token_that_is_not_the_owners_helps_nobody(
    identity: Identity, clock: MovableClock, token: str
) -> None:
    owner, thief = await make.member(identity), await make.member(identity)
    given = {"another member's": thief.pair.device_token, "garbled": "wrtn_dt_\u00fc"}.get(
        token, owner.pair.device_token
    )
    if token == "expired":
        clock.ahead += timedelta(days=181)
    for _ in range(10):
        await guess(identity, owner.email)
    refused = await guess(identity, owner.email, device_token=given)
    assert make.reason(refused) == "TOO_MANY_TRIES"


async def test_a_device_token_signs_nobody_in(identity: Identity) -> None:
    owner = await make.member(identity)
    refused = await guess(identity, owner.email, device_token=owner.pair.device_token)
    assert make.reason(refused) == "SIGN_IN_REFUSED"


async def test_a_right_password_does_not_wipe_the_wrong_ones(identity: Identity) -> None:
    owner = await make.member(identity)
    for _ in range(9):
        await guess(identity, owner.email)
    await make.sign_in(identity, owner.email)
    assert make.reason(await guess(identity, owner.email)) == "SIGN_IN_REFUSED"
    assert make.reason(await guess(identity, owner.email)) == "TOO_MANY_TRIES"


async def test_ten_good_sign_ins_in_a_row_are_no_guesses(alone: Identity) -> None:
    owner = await make.member(alone)
    for _ in range(11):
        await make.sign_in(alone, owner.email)
    rows = await make.as_superuser(alone, "SELECT DISTINCT cardinality(tries) FROM wrtn_guesses")
    assert rows == [(0,)]


async def test_one_client_address_has_a_wider_bound_over_all_accounts(
    alone: Identity, clock: MovableClock
) -> None:
    owner = await make.member(alone)
    await guess(alone, "nobody@example.com", address="2001:db8:0:7::1")
    tries = f"array_fill('{clock.now().isoformat()}'::timestamptz, ARRAY[300])"
    await make.as_superuser(alone, f"UPDATE wrtn_guesses SET tries = {tries} WHERE cardinality(tries) > 0")
    refused = await guess(alone, owner.email, make.PASSWORD, address="2001:db8:0:7:ffff::2")
    assert make.reason(refused) == "TOO_MANY_TRIES", "a customer has a whole network of IPv6"
    metadata = make.client("2001:db8:0:8::1")
    assert (await make.sign_in(alone, owner.email, metadata=metadata)).member_id == owner.member_id


async def test_device_tokens_are_kept_as_hashes_and_twenty_at_most(identity: Identity) -> None:
    owner: SignedIn = await make.member(identity)
    for _ in range(21):
        await make.sign_in(identity, owner.email)
    rows = await make.rows(identity, "SELECT token_hash FROM wrtn_known_devices", owner.member_id)
    assert len(rows) == 20
    assert owner.pair.device_token.encode() not in {row.token_hash for row in rows}
