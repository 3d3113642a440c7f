"""What has expired is forgotten, who never verified too, and nothing that still counts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import grpc
import pytest

from services.identity.personal_data import purge as job
from services.identity.personal_data.purge import Purge
from tests.identity import make
from tests.identity.service import Identity, MovableClock
from tests.identity.smtp_server import code_in
from tests.identity.test_identity_passkeys import enter, options, registered
from tests.identity.test_identity_second_factor import challenged, enrol
from wrtn.identity.v1 import auth_pb2
from wrtn.identity.v1.passwords_pb2 import RequestPasswordResetRequest

TABLES = ("logins", "refresh_tokens", "known_devices", "sign_in_challenges", "guesses", "answered_challenges")


async def purge(identity: Identity, clock: MovableClock) -> None:
    """Runs the job once."""
    runtime = identity.running.runtime
    await Purge(runtime.db, runtime.worker, runtime.keyring, clock).run()


async def counts(identity: Identity) -> dict[str, int]:
    """Answers how many rows each table has."""
    return {table: await count(identity, table) for table in TABLES}


async def count(identity: Identity, table: str) -> int:
    """Answers how many rows a table has."""
    ((found,),) = await make.as_superuser(identity, f"SELECT count(*) FROM wrtn_{table}")
    return int(found)


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


async def test_who_never_verified_is_deleted_after_a_week_with_their_key(
    identity: Identity, clock: MovableClock
) -> None:
    member = await make.member(identity)
    for _ in range(3):
        await make.register(identity, make.fresh_email())
    clock.ahead = timedelta(days=6, hours=23)
    await purge(identity, clock)
    assert await count(identity, "members") == 4
    clock.ahead = timedelta(days=7, minutes=1)
    await purge(identity, clock)
    found = await make.as_superuser(identity, "SELECT id, state FROM wrtn_members")
    assert [(str(row[0]), row[1]) for row in found] == [(member.member_id, "ACTIVE")]
    assert await count(identity, "emails") == 1
    keys: list[Any] = await make.as_superuser(identity, "SELECT wrapped_key IS NULL FROM wrtn_data_keys")
    assert sorted(gone for (gone,) in keys).count(True) == 3
    await make.sign_in(identity, member.email)


async def test_who_registers_again_after_the_purge_is_welcome(
    identity: Identity, clock: MovableClock
) -> None:
    email = make.fresh_email()
    await make.register(identity, email)
    clock.ahead = timedelta(days=8)
    await purge(identity, clock)
    await make.register(identity, email)
    await make.verify(identity, code_in(await identity.mailbox.wait_for(email, 2)))


async def test_tokens_are_deleted_once_they_expired_and_no_sooner(
    identity: Identity, clock: MovableClock
) -> None:
    member = await make.member(identity)
    for email in (member.email, make.fresh_email()):
        await identity.passwords.RequestPasswordReset(RequestPasswordResetRequest(email=email))
    await purge(identity, clock)
    assert (await count(identity, "password_resets"), await count(identity, "email_verifications")) == (2, 1)
    clock.ahead = timedelta(hours=1, minutes=1)
    await purge(identity, clock)
    assert (await count(identity, "password_resets"), await count(identity, "email_verifications")) == (0, 1)
    clock.ahead = timedelta(hours=24, minutes=1)
    await purge(identity, clock)
    assert await count(identity, "email_verifications") == 0


async def test_mails_are_deleted_after_a_week_and_unsent_ones_after_a_month(
    identity: Identity, clock: MovableClock
) -> None:
    sent, unsent = make.fresh_email(), make.fresh_email()
    await make.register(identity, sent)
    await identity.mailbox.wait_for(sent)
    identity.mailbox.refuse = "550 no such user"
    await make.register(identity, unsent)
    await identity.mailbox.wait_for_attempts(2)
    for days, left in ((6, 2), (8, 1), (29, 1), (31, 0)):
        clock.ahead = timedelta(days=days)
        await purge(identity, clock)
        assert await count(identity, "mails") == left, days


async def test_more_than_a_batch_is_deleted_in_one_run(
    identity: Identity, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "BATCH", 2)
    for _ in range(5):
        await make.register(identity, make.fresh_email())
    clock.ahead = timedelta(days=31)
    await purge(identity, clock)
    assert [await count(identity, table) for table in ("members", "emails", "mails")] == [0, 0, 0]
