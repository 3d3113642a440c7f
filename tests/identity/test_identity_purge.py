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
    alone: Identity, clock: MovableClock
) -> None:
    signed_in = await make.member(alone)
    authenticator = await registered(alone, signed_in)
    await enter(alone, authenticator.get(await options(alone)))
    await enrol(alone, clock, signed_in)
    await challenged(alone, signed_in.email)
    assert all((await counts(alone)).values())
    clock.ahead += timedelta(days=365)
    await purge(alone, clock)
    assert await counts(alone) == dict.fromkeys(TABLES, 0)


async def test_what_still_counts_stays(alone: Identity, clock: MovableClock) -> None:
    signed_in = await make.member(alone)
    second = await make.refresh(alone, signed_in.pair.refresh_token)
    other = await make.sign_in(alone, signed_in.email)
    await alone.auth.SignOut(auth_pb2.SignOutRequest(), metadata=other.metadata)
    clock.ahead += timedelta(days=29)
    await purge(alone, clock)
    left = await counts(alone)
    assert (left["logins"], left["refresh_tokens"], left["known_devices"]) == (2, 3, 2)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await make.refresh(alone, signed_in.pair.refresh_token)
    assert make.reason(refused.value) == "REFRESH_TOKEN_REUSED", "a second use is noticed until it expires"
    assert second.refresh_token


async def test_a_login_in_use_outlives_its_old_tokens(alone: Identity, clock: MovableClock) -> None:
    signed_in = await make.member(alone)
    token = signed_in.pair.refresh_token
    for _ in range(3):
        clock.ahead += timedelta(days=20)
        token = (await make.refresh(alone, token)).refresh_token
        await purge(alone, clock)
    left = await counts(alone)
    assert (left["logins"], left["refresh_tokens"]) == (1, 2)
    assert await make.refresh(alone, token)


async def test_the_worker_role_sees_whose_rows_expire_and_nothing_else_of_them(alone: Identity) -> None:
    await make.member(alone)
    assert await make.as_worker(alone, "SELECT member_id, expire_time, end_time FROM wrtn_logins")
    for query in ("SELECT address FROM wrtn_logins", "SELECT token_hash FROM wrtn_refresh_tokens"):
        with pytest.raises(Exception, match="permission denied"):
            await make.as_worker(alone, query)


async def test_who_never_verified_is_deleted_after_a_week_with_their_key(
    alone: Identity, clock: MovableClock
) -> None:
    member = await make.member(alone)
    for _ in range(3):
        await make.register(alone, make.fresh_email())
    clock.ahead += timedelta(days=6, hours=23)
    await purge(alone, clock)
    assert await count(alone, "members") == 4
    clock.ahead += timedelta(hours=1, minutes=1)
    await purge(alone, clock)
    found = await make.as_superuser(alone, "SELECT id, state FROM wrtn_members")
    assert [(str(row[0]), row[1]) for row in found] == [(member.member_id, "ACTIVE")]
    assert await count(alone, "emails") == 1
    keys: list[Any] = await make.as_superuser(alone, "SELECT wrapped_key IS NULL FROM wrtn_data_keys")
    assert sorted(gone for (gone,) in keys).count(True) == 3
    await make.sign_in(alone, member.email)


async def test_who_registers_again_after_the_purge_is_welcome(alone: Identity, clock: MovableClock) -> None:
    email = make.fresh_email()
    await make.register(alone, email)
    clock.ahead += timedelta(days=8)
    await purge(alone, clock)
    await make.register(alone, email)
    await make.verify(alone, code_in(await alone.mailbox.wait_for(email, 2)))


async def test_tokens_are_deleted_once_they_expired_and_no_sooner(
    alone: Identity, clock: MovableClock
) -> None:
    member = await make.registered(alone)
    for email in (member.email, make.fresh_email()):
        await alone.passwords.RequestPasswordReset(RequestPasswordResetRequest(email=email))
    await purge(alone, clock)
    assert (await count(alone, "password_resets"), await count(alone, "email_verifications")) == (2, 1)
    clock.ahead += timedelta(hours=1, minutes=1)
    await purge(alone, clock)
    assert (await count(alone, "password_resets"), await count(alone, "email_verifications")) == (0, 1)
    clock.ahead += timedelta(hours=23)
    await purge(alone, clock)
    assert await count(alone, "email_verifications") == 0


async def test_mails_are_deleted_after_a_week_and_unsent_ones_after_a_month(
    alone: Identity, clock: MovableClock
) -> None:
    sent, unsent = make.fresh_email(), make.fresh_email()
    await make.register(alone, sent)
    await alone.mailbox.wait_for(sent)
    alone.mailbox.refuse = "550 no such user"
    await make.register(alone, unsent)
    await alone.mailbox.wait_for_attempts(2)
    began = clock.ahead
    for days, left in ((6, 2), (8, 1), (29, 1), (31, 0)):
        clock.ahead = began + timedelta(days=days)
        await purge(alone, clock)
        assert await count(alone, "mails") == left, days


async def test_more_than_a_batch_is_deleted_in_one_run(
    alone: Identity, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "BATCH", 2)
    for _ in range(5):
        await make.register(alone, make.fresh_email())
    clock.ahead += timedelta(days=31)
    await purge(alone, clock)
    assert [await count(alone, table) for table in ("members", "emails", "mails")] == [0, 0, 0]
