"""What has expired of signing in is forgotten, and nothing that still counts."""

from __future__ import annotations

from datetime import timedelta

import grpc
import pytest

from services.identity.purge import Purge
from tests.identity import make
from tests.identity.make import Identity, MovableClock
from tests.identity.test_identity_passkeys import enter, options, registered
from tests.identity.test_identity_second_factor import challenged, enrol
from wrtn.identity.v1 import auth_pb2

TABLES = ("logins", "refresh_tokens", "known_devices", "sign_in_challenges", "guesses", "answered_challenges")


async def purge(identity: Identity, clock: MovableClock) -> None:
    """Runs the job once."""
    runtime = identity.running.runtime
    await Purge(runtime.db, runtime.worker, clock).run()


async def counts(identity: Identity) -> dict[str, int]:
    """Answers how many rows each table has."""
    found = {}
    for table in TABLES:
        ((found[table],),) = await make.as_superuser(identity, f"SELECT count(*) FROM wrtn_{table}")
    return found


async def test_after_a_year_nothing_is_left_of_a_member_who_never_came_back(
    identity: Identity, clock: MovableClock
) -> None:
    signed_in = await make.member(identity)
    authenticator = await registered(identity, signed_in)
    await enter(identity, authenticator.get(await options(identity)))
    await enrol(identity, clock, signed_in)
    await challenged(identity, signed_in.email)
    assert all((await counts(identity)).values())
    clock.ahead = timedelta(days=365)
    await purge(identity, clock)
    assert await counts(identity) == dict.fromkeys(TABLES, 0)


async def test_what_still_counts_stays(identity: Identity, clock: MovableClock) -> None:
    signed_in = await make.member(identity)
    second = await make.refresh(identity, signed_in.pair.refresh_token)
    other = await make.sign_in(identity, signed_in.email)
    await identity.auth.SignOut(auth_pb2.SignOutRequest(), metadata=other.metadata)
    clock.ahead = timedelta(days=29)
    await purge(identity, clock)
    left = await counts(identity)
    assert (left["logins"], left["refresh_tokens"], left["known_devices"]) == (2, 3, 2)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await make.refresh(identity, signed_in.pair.refresh_token)
    assert make.reason(refused.value) == "REFRESH_TOKEN_REUSED", "a second use is noticed until it expires"
    assert second.refresh_token


async def test_a_login_in_use_outlives_its_old_tokens(identity: Identity, clock: MovableClock) -> None:
    signed_in = await make.member(identity)
    token = signed_in.pair.refresh_token
    for days in (20, 40, 60):
        clock.ahead = timedelta(days=days)
        token = (await make.refresh(identity, token)).refresh_token
        await purge(identity, clock)
    left = await counts(identity)
    assert (left["logins"], left["refresh_tokens"]) == (1, 2)
    assert await make.refresh(identity, token)


async def test_the_worker_role_sees_whose_rows_expire_and_nothing_else_of_them(identity: Identity) -> None:
    await make.member(identity)
    assert await make.as_worker(identity, "SELECT member_id, expire_time, end_time FROM wrtn_logins")
    for query in ("SELECT address FROM wrtn_logins", "SELECT token_hash FROM wrtn_refresh_tokens"):
        with pytest.raises(Exception, match="permission denied"):
            await make.as_worker(identity, query)
