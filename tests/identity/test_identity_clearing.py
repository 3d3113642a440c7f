"""What is deleted by itself, and what is not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.identity import clearing
from services.identity.clearing import Clearing
from tests.identity import make
from tests.identity.make import Identity, MovableClock
from tests.identity.smtp_server import code_in
from wrtn.identity.v1.passwords_pb2 import RequestPasswordResetRequest


async def run(identity: Identity) -> None:
    """Clears as the job does."""
    runtime = identity.running.runtime
    await Clearing(runtime.db, runtime.worker, runtime.keyring).run()


async def count(identity: Identity, table: str) -> int:
    """Answers how many rows a table has."""
    ((found,),) = await make.as_superuser(identity, f"SELECT count(*) FROM wrtn_{table}")
    return int(found)


async def test_who_never_verified_is_deleted_after_a_week_with_their_key(
    identity: Identity, clock: MovableClock
) -> None:
    member = await make.member(identity)
    for _ in range(3):
        await make.register(identity, make.fresh_email())
    clock.ahead = timedelta(days=6, hours=23)
    await run(identity)
    assert await count(identity, "members") == 4
    clock.ahead = timedelta(days=7, minutes=1)
    await run(identity)
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
    await run(identity)
    await make.register(identity, email)
    await make.verify(identity, code_in(await identity.mailbox.wait_for(email, 2)))


async def test_tokens_are_deleted_once_they_expired_and_no_sooner(
    identity: Identity, clock: MovableClock
) -> None:
    member = await make.member(identity)
    for email in (member.email, make.fresh_email()):
        await identity.passwords.RequestPasswordReset(RequestPasswordResetRequest(email=email))
    await run(identity)
    assert (await count(identity, "password_resets"), await count(identity, "email_verifications")) == (2, 1)
    clock.ahead = timedelta(hours=1, minutes=1)
    await run(identity)
    assert (await count(identity, "password_resets"), await count(identity, "email_verifications")) == (0, 1)
    clock.ahead = timedelta(hours=24, minutes=1)
    await run(identity)
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
        await run(identity)
        assert await count(identity, "mails") == left, days


async def test_more_than_a_batch_is_deleted_in_one_run(
    identity: Identity, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clearing, "BATCH", 2)
    for _ in range(5):
        await make.register(identity, make.fresh_email())
    clock.ahead = timedelta(days=31)
    await run(identity)
    assert [await count(identity, table) for table in ("members", "emails", "mails")] == [0, 0, 0]
