"""Passwords: how they are kept, which are refused, and how a new one is set."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from argon2 import PasswordHasher
from google.protobuf.empty_pb2 import Empty
from sqlalchemy import event

from chassis.database import Scope
from services.identity import bearers
from services.identity.errors import PasswordTooWeak
from services.identity.mail.post import Post
from services.identity.members import addresses
from services.identity.sign_in import password_changes
from services.identity.sign_in.passwords import HASHER, check_strength
from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity, MovableClock
from tests.identity.smtp_server import code_in, text_of
from wrtn.identity.v1.emails_pb2 import CreateEmailRequest
from wrtn.identity.v1.passwords_pb2 import (
    ChangePasswordRequest,
    RequestPasswordResetRequest,
    ResetPasswordRequest,
)

NEW = "eleven green elephants"


async def kept(identity: Identity, member: SignedIn) -> str:
    """Answers the hash that is kept."""
    ((password_hash,),) = await make.rows(
        identity, "SELECT password_hash FROM wrtn_members", member.member_id
    )
    return str(password_hash)


@pytest.mark.parametrize("hasher", [HASHER], ids=["real"])
async def test_a_password_is_kept_by_argon2id_with_the_parameters_of_owasp(alone: Identity) -> None:
    member = await make.registered(alone)
    assert (await kept(alone, member)).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize("hasher", [HASHER], ids=["real"])
async def test_a_hash_of_old_parameters_is_renewed_when_its_owner_signs_in(alone: Identity) -> None:
    member = await make.member(alone)
    old = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=2).hash(make.PASSWORD)
    await make.as_superuser(alone, f"UPDATE wrtn_members SET password_hash = '{old}'")
    await make.sign_in(alone, member.email)
    renewed = await kept(alone, member)
    assert renewed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    await make.sign_in(alone, member.email)
    assert await kept(alone, member) == renewed, "and once is enough"


async def change(
    identity: Identity, member: SignedIn, current: str = make.PASSWORD, new: str = NEW, **more: str
) -> None:
    """Changes the password."""
    request = ChangePasswordRequest(
        **{"member_id": "me", "current_password": current, "new_password": new} | more
    )
    await identity.passwords.ChangePassword(request, metadata=member.metadata)


async def ask(identity: Identity, email: str, request_id: str = "") -> Empty:
    """Asks for a mail by which the password can be reset."""
    return await identity.passwords.RequestPasswordReset(
        RequestPasswordResetRequest(email=email, request_id=request_id)
    )


async def reset(identity: Identity, token: str, new: str = NEW, request_id: str = "") -> None:
    """Resets the password."""
    await identity.passwords.ResetPassword(
        ResetPasswordRequest(token=token, new_password=new, request_id=request_id)
    )


async def mailed_token(identity: Identity, email: str, count: int = 1) -> str:
    """Asks for a reset and answers the token of the mail."""
    await ask(identity, email)
    return code_in(await identity.mailbox.wait_for(email, count))


async def refusal(call: Awaitable[object]) -> str:
    """Answers the reason for which a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return make.reason(refused.value)


async def test_a_changed_password_ends_the_other_logins_and_tells_the_member(identity: Identity) -> None:
    member = await make.member(identity)
    other = await make.sign_in(identity, member.email)
    await change(identity, member)
    assert await make.works(identity, member)
    assert not await make.works(identity, other)
    assert await refusal(make.sign_in(identity, member.email)) == "SIGN_IN_REFUSED"
    await make.sign_in(identity, member.email, NEW)
    assert "was changed" in (await identity.mailbox.wait_for(member.email))["Subject"]
    assert "password.changed" in [action for action, _ in await make.audited(identity, member.member_id)]


async def test_changing_needs_the_current_password(identity: Identity) -> None:
    member = await make.member(identity)
    other = await make.sign_in(identity, member.email)
    assert await refusal(change(identity, member, "a wrong passphrase")) == "PASSWORD_WRONG"
    assert await make.works(identity, other)
    await make.sign_in(identity, member.email)


async def test_the_current_password_is_guessed_ten_times_at_most(identity: Identity) -> None:
    member = await make.member(identity)
    for _ in range(10):
        assert await refusal(change(identity, member, "a wrong passphrase")) == "PASSWORD_WRONG"
    assert await refusal(change(identity, member)) == "TOO_MANY_TRIES"


async def test_a_repeated_change_has_one_effect_and_one_answer(identity: Identity) -> None:
    member = await make.member(identity)
    for _ in range(2):
        await change(identity, member, request_id="one")
    await identity.mailbox.wait_for(member.email)
    assert len(identity.mailbox.to(member.email)) == 1


async def test_of_two_changes_at_once_one_has_the_current_password(identity: Identity) -> None:
    member = await make.member(identity)
    passwords = [f"{number} green elephants marching" for number in range(3)]
    outcomes = await asyncio.gather(
        *(change(identity, member, new=each) for each in passwords), return_exceptions=True
    )
    (winner,) = [each for each, outcome in zip(passwords, outcomes, strict=True) if outcome is None]
    await make.sign_in(identity, member.email, winner)


async def test_nobody_changes_anothers_password(identity: Identity) -> None:
    member, other = await make.member(identity), await make.staff(identity)
    assert await refusal(change(identity, other, member_id=member.member_id)) == "MEMBER_NOT_FOUND"


@pytest.mark.parametrize(
    "password",
    [
        "password1",
        "wrtnwrtn",
        "Wrtn2025",
        "minapark!",
        "kraPaniM1",
        "zaphod99",
        "Zaphod.Beeblebrox",
        "heartofgold",
        "\ufb01\ufb01\ufb01\ufb01\ufb01\ufb01\ufb01\ufb01",
    ],
)
async def test_a_common_or_derived_password_is_refused(identity: Identity, password: str) -> None:
    email = f"zaphod.beeblebrox@{make.fresh_id()}.heartofgold.example"
    member = await make.member(identity, email)
    assert await refusal(change(identity, member, new=password)) == "PASSWORD_TOO_WEAK"


@pytest.mark.parametrize(
    "password",
    [
        "four words are enough",
        "\u00fcber \u00fcber viele B\u00e4ume",
        "\ubc15\ubbf8\ub098\ub294 \uae30\ub9b0\uc744 \uc88b\uc544\ud55c\ub2e4",
        "lowercaseletterswithoutend" * 9,
    ],
)
async def test_any_characters_make_a_good_password(identity: Identity, password: str) -> None:
    member = await make.member(identity)
    await change(identity, member, new=password)
    await make.sign_in(identity, member.email, password)


async def test_a_password_is_the_same_however_its_characters_are_composed(identity: Identity) -> None:
    member = await make.registered(identity, password="fu\u0308nf lila Giraffen")
    await make.sign_in(identity, member.email, "f\u00fcnf lila Giraffen")
    await make.sign_in(identity, member.email, "f\u00fcnf lila Gira\ufb00en")


@pytest.mark.parametrize(
    ("password", "reason"), [("x" * 7, "REQUEST_INVALID"), ("x" * 257, "REQUEST_INVALID")]
)
async def test_a_password_has_8_to_256_characters(identity: Identity, password: str, reason: str) -> None:
    member = await make.member(identity)
    assert await refusal(change(identity, member, new=password)) == reason


async def test_characters_are_counted_as_they_are_hashed() -> None:
    with pytest.raises(PasswordTooWeak, match="less than 8"):
        check_strength("u\u0308" * 7, ())


async def test_a_lost_password_is_reset_by_mail_and_all_logins_end(identity: Identity) -> None:
    member = await make.member(identity)
    other = await make.sign_in(identity, member.email)
    token = await mailed_token(identity, member.email)
    await reset(identity, token)
    assert not await make.works(identity, member)
    assert not await make.works(identity, other)
    assert await refusal(make.sign_in(identity, member.email)) == "SIGN_IN_REFUSED"
    assert (await make.sign_in(identity, member.email, NEW)).member_id == member.member_id
    assert "was changed" in (await identity.mailbox.wait_for(member.email, 2))["Subject"]
    assert len(await make.published(identity, "login.ended", member.member_id)) == 2
    assert "password.reset" in [action for action, _ in await make.audited(identity, member.member_id)]


async def test_any_verified_address_recovers_the_password(identity: Identity) -> None:
    member, address = await make.member(identity), make.fresh_email()
    await identity.emails.CreateEmail(
        CreateEmailRequest(member_id="me", address=address), metadata=member.metadata
    )
    await make.verify(identity, code_in(await identity.mailbox.wait_for(address)))
    await reset(identity, await mailed_token(identity, address, count=2))
    assert (await make.sign_in(identity, member.email, NEW)).member_id == member.member_id


async def test_an_unknown_address_is_answered_alike_and_told_by_mail(alone: Identity) -> None:
    member = await make.member(alone)
    sizes = []
    for email in (member.email, make.fresh_email()):
        await ask(alone, make.fresh_email())  # the platform's key is there from now on
        before = await _sizes(alone)
        assert await ask(alone, email) == Empty()
        sizes.append([after - size for size, after in zip(before, await _sizes(alone), strict=True)])
    assert sizes[0] == sizes[1]
    mail = await alone.mailbox.wait_for(email)
    assert "not registered" in mail["Subject"]
    assert "wrtn_pr_" not in text_of(mail)


async def test_an_unknown_address_costs_the_same_statements(identity: Identity) -> None:
    """Time cannot be compared on a busy machine; what takes the time can."""
    member = await make.member(identity)
    await ask(identity, make.fresh_email())  # the platform's key is there from now on
    keyring, post = identity.running.runtime.keyring, Post(sender="a@example.com", public_url=None)
    told: list[list[str]] = []
    for email in (member.email, make.fresh_email()):
        statements: list[str] = []
        async with identity.database.app.transaction(Scope()) as tx:
            connection = (await tx.session.connection()).sync_connection
            event.listen(connection, "before_cursor_execute", _noting(statements))
            await password_changes.request(tx, keyring, post, email)
        told.append(statements.copy())
    assert told[0] == told[1]
    assert len(told[0]) > 3


def _noting(statements: list[str]) -> Callable[..., None]:
    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        statements.append(statement)

    return note


@pytest.mark.parametrize("how", ["unknown", "used", "expired", "another's", "older", "garbled"])
async def test_a_token_that_resets_nothing_is_refused_alike(
    identity: Identity, clock: MovableClock, how: str
) -> None:
    member = await make.member(identity)
    token = await mailed_token(identity, member.email)
    password = make.PASSWORD
    if how == "used":
        await reset(identity, token)
        password = NEW
    elif how == "expired":
        clock.ahead += timedelta(hours=1, seconds=1)
    elif how == "unknown":
        token = token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB")
    elif how == "another's":
        other = await make.member(identity)
        token = bearers.bearer(bearers.RESET, UUID(other.member_id), clock)[:30] + token[30:]
    elif how == "older":
        clock.ahead += timedelta(minutes=2)
        await reset(identity, await mailed_token(identity, member.email, 2))
        password = NEW
    else:
        token = "wrtn_pr_\u00fc"
    assert await refusal(reset(identity, token, "another fine passphrase")) == "RESET_REFUSED"
    await make.sign_in(identity, member.email, password)


async def test_a_weak_password_leaves_the_token_good(identity: Identity) -> None:
    member = await make.member(identity)
    token = await mailed_token(identity, member.email)
    assert await refusal(reset(identity, token, "minapark")) == "PASSWORD_TOO_WEAK"
    await reset(identity, token)


async def test_a_token_resets_once_however_often_it_is_used_at_the_same_time(identity: Identity) -> None:
    member = await make.member(identity)
    token = await mailed_token(identity, member.email)
    passwords = [f"{number} green elephants marching" for number in range(5)]
    outcomes = await asyncio.gather(
        *(reset(identity, token, each) for each in passwords), return_exceptions=True
    )
    (winner,) = [each for each, outcome in zip(passwords, outcomes, strict=True) if outcome is None]
    await make.sign_in(identity, member.email, winner)


async def test_a_repeated_reset_answers_the_same(identity: Identity) -> None:
    member = await make.member(identity)
    token = await mailed_token(identity, member.email)
    for _ in range(2):
        await reset(identity, token, request_id="one")


async def test_resets_are_mailed_once_a_minute_and_five_times_an_hour(
    identity: Identity, clock: MovableClock
) -> None:
    for email in ((await make.member(identity)).email, make.fresh_email()):
        await asyncio.gather(*(ask(identity, email) for _ in range(5)))
        assert await _asked(identity, email) == 1, "also when asked at the same time"
        for _ in range(8):
            clock.ahead += timedelta(seconds=61)
            await ask(identity, email)
        assert await _asked(identity, email) == 5
        clock.ahead += timedelta(minutes=52)
        await ask(identity, email)
        assert await _asked(identity, email) == 6


async def test_a_reset_token_is_kept_as_a_hash(identity: Identity) -> None:
    member = await make.member(identity)
    token = await mailed_token(identity, member.email)
    query = "SELECT token_hash FROM wrtn_password_resets"
    ((kept_hash,),) = await make.rows(identity, query, member.member_id)
    assert kept_hash == bearers.digest(token)


async def _asked(identity: Identity, email: str) -> int:
    digest = identity.running.runtime.keyring.lookup(addresses.PURPOSE, email)
    query = f"SELECT count(*) FROM wrtn_password_resets WHERE address_hash = '\\x{digest.hex()}'"
    return int((await make.as_superuser(identity, query))[0][0])


async def _sizes(identity: Identity) -> list[int]:
    tables = ("password_resets", "mails", "data_keys", "outbox", "audit_entries")
    found = await make.as_superuser(
        identity, " UNION ALL ".join(f"SELECT count(*) FROM wrtn_{table}" for table in tables)
    )
    return [int(row[0]) for row in found]


async def test_no_device_is_known_any_more_after_the_password_was_changed_or_reset(
    identity: Identity,
) -> None:
    member = await make.member(identity)
    known = "SELECT * FROM wrtn_known_devices"
    assert len(await make.rows(identity, known, member.member_id)) == 1
    await change(identity, member)
    assert await make.rows(identity, known, member.member_id) == []
    await make.sign_in(identity, member.email, NEW)
    assert len(await make.rows(identity, known, member.member_id)) == 1
    await reset(identity, await mailed_token(identity, member.email, 2), make.PASSWORD)
    assert await make.rows(identity, known, member.member_id) == []
