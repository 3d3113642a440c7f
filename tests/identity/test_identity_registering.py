"""Registering, and proving an address."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest

from services.identity import bearers
from tests.identity import make, service
from tests.identity.service import Identity, MovableClock
from tests.identity.smtp_server import code_in, text_of
from wrtn.identity.v1 import members_pb2
from wrtn.identity.v1.members_pb2 import Member, RegisterMemberResponse


async def test_a_member_registers_verifies_and_signs_in(identity: Identity) -> None:
    email = make.fresh_email()
    await make.register(identity, email, display_name="Mina Park", locale="ko-KR", time_zone="Asia/Seoul")
    mail = await identity.mailbox.wait_for(email)
    member = await make.verify(identity, code_in(mail))
    signed_in = await make.sign_in(identity, email)
    me = await identity.members.GetMember(
        members_pb2.GetMemberRequest(member_id="me"), metadata=signed_in.metadata
    )
    assert (member.state, member.display_name) == (Member.STATE_ACTIVE, "Mina Park")
    assert me.id == member.id == signed_in.member_id
    assert (me.locale, me.time_zone, me.staff_right) == ("ko-KR", "Asia/Seoul", 0)
    assert [(each.address, each.primary) for each in me.emails] == [(email, True)]
    assert me.emails[0].HasField("verify_time")


async def test_the_mail_holds_the_link_and_the_code_in_text_and_html(identity: Identity) -> None:
    email = make.fresh_email()
    await make.register(identity, email)
    mail = await identity.mailbox.wait_for(email)
    html = mail.get_body(("html",))
    assert html is not None
    code = code_in(mail)
    link = f"{service.PUBLIC_URL}/verify-email?token={code}"
    assert f"\n{link}\n" in text_of(mail)
    assert f'href="{link}"' in str(html.get_content())
    assert mail["From"] == "wrtn <no-reply@example.com>"
    assert mail["Message-ID"]


async def test_verifying_opens_the_personal_account_and_tells_of_both(identity: Identity) -> None:
    signed_in = await make.registered(identity, display_name="Mina  Park!")
    (activated,) = await make.published(identity, "member.activated", signed_in.member_id)
    (opened,) = await make.published(identity, "account.opened", signed_in.member_id)
    (account,) = await make.rows(
        identity, "SELECT tenant_id, id, kind, code FROM wrtn_accounts", signed_in.member_id
    )
    assert activated.member_id == signed_in.member_id
    assert opened.account_id == opened.tenant_id == signed_in.account_id
    assert opened.holder_member_id == signed_in.member_id
    assert (str(account.tenant_id), str(account.id)) == (signed_in.account_id, signed_in.account_id)
    assert (account.kind, account.code) == ("PERSONAL", "mina-park")


async def test_an_unverified_member_may_not_sign_in(identity: Identity) -> None:
    email = make.fresh_email()
    await make.register(identity, email)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await make.sign_in(identity, email)
    assert make.reason(refused.value) == "SIGN_IN_REFUSED"


@pytest.mark.parametrize("how", ["unknown", "used", "expired", "another member's", "garbled"])
async def test_a_token_that_proves_nothing_is_refused_alike(
    identity: Identity, clock: MovableClock, how: str
) -> None:
    email = make.fresh_email()
    await make.register(identity, email)
    token = code_in(await identity.mailbox.wait_for(email))
    if how == "used":
        member = await make.verify(identity, token)
        # The address is taken by now, which would be refused as well.
        taken = f"DELETE FROM wrtn_verified_addresses WHERE member_id = '{member.id}'"
        await make.as_superuser(identity, taken)
    elif how == "expired":
        clock.ahead += timedelta(hours=24, seconds=1)
    elif how == "unknown":
        token = token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB")
    elif how == "another member's":
        other = await make.member(identity)
        forged = bearers.bearer(bearers.VERIFICATION, UUID(other.member_id), clock)
        token = forged[:30] + token[30:]
    else:
        token = "wrtn_ev_\u00fc" + token[9:]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await make.verify(identity, token)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert make.reason(refused.value) == "VERIFICATION_REFUSED"
    assert refused.value.details() == "The verification token is unknown, used or expired."


async def test_a_token_is_good_until_its_last_second(identity: Identity, clock: MovableClock) -> None:
    email = make.fresh_email()
    await make.register(identity, email)
    token = code_in(await identity.mailbox.wait_for(email))
    clock.ahead += timedelta(hours=23, minutes=59)
    assert (await make.verify(identity, token)).state == Member.STATE_ACTIVE


async def test_ten_uses_of_one_token_at_once_prove_the_address_once(identity: Identity) -> None:
    email = make.fresh_email()
    await make.register(identity, email)
    token = code_in(await identity.mailbox.wait_for(email))
    outcomes = await asyncio.gather(
        *(make.verify(identity, token) for _ in range(10)), return_exceptions=True
    )
    (member,) = [each for each in outcomes if isinstance(each, Member)]
    assert len(await make.published(identity, "account.opened", member.id)) == 1


async def test_of_two_who_verify_one_address_at_the_same_instant_one_has_it(identity: Identity) -> None:
    for _ in range(5):
        email = make.fresh_email()
        await make.register(identity, email)
        await make.register(identity, email.upper())
        await identity.mailbox.wait_for(email)
        await identity.mailbox.wait_for(email.upper().replace("EXAMPLE.COM", "example.com"))
        found = [each for each in identity.mailbox.messages if each["To"].lower() == email]
        tokens = [code_in(mail) for mail in found]
        outcomes = await asyncio.gather(
            *(make.verify(identity, token) for token in tokens), return_exceptions=True
        )
        assert len(tokens) == 2
        assert sorted(isinstance(each, Member) for each in outcomes) == [False, True]
        (refused,) = [each for each in outcomes if isinstance(each, grpc.aio.AioRpcError)]
        assert make.reason(refused) == "VERIFICATION_REFUSED"


async def test_an_unverified_claim_does_not_stop_the_real_owner(identity: Identity) -> None:
    email = make.fresh_email()
    await make.register(identity, email, display_name="Squatter")
    await make.register(identity, email, display_name="Owner")
    await identity.mailbox.wait_for(email, 2)
    owners = [code_in(mail) for mail in identity.mailbox.to(email)]
    members = [await make.verify(identity, owners[1])]
    assert members[0].display_name in ("Owner", "Squatter")
    assert (await make.sign_in(identity, email)).member_id == members[0].id


async def test_registering_a_known_address_answers_alike_and_tells_its_owner(identity: Identity) -> None:
    signed_in = await make.member(identity)
    answer = await make.register(identity, signed_in.email, password="another good passphrase")
    mail = await identity.mailbox.wait_for(signed_in.email)
    assert answer == RegisterMemberResponse()
    assert "already registered" in mail["Subject"]
    assert "Code:" not in text_of(mail)
    assert (await make.sign_in(identity, signed_in.email)).member_id == signed_in.member_id


async def test_registering_a_known_address_writes_the_same_rows(alone: Identity) -> None:
    """So that neither the time taken nor a failure tells whether the address is known."""
    signed_in = await make.member(alone)

    async def written(email: str) -> list[int]:
        before = await _sizes(alone)
        await make.register(alone, email)
        return [after - size for size, after in zip(before, await _sizes(alone), strict=True)]

    assert await written(signed_in.email) == await written(make.fresh_email())


async def test_a_repeated_registration_has_one_effect(alone: Identity) -> None:
    email = make.fresh_email()
    answers = await asyncio.gather(*(make.register(alone, email, request_id="one") for _ in range(5)))
    await alone.mailbox.wait_for(email)
    mails = await make.rows(alone, "SELECT id FROM wrtn_mails")
    assert answers == [RegisterMemberResponse()] * 5
    assert len(mails) == 1


async def test_a_repeated_id_with_another_body_is_an_error(identity: Identity) -> None:
    email, request_id = make.fresh_email(), make.fresh_id()
    await make.register(identity, email, request_id=request_id)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await make.register(identity, make.fresh_email(), request_id=request_id)
    assert make.reason(refused.value) == "IDEMPOTENCY_KEY_REUSED"


@pytest.mark.parametrize("password", ["password", "qwertyuiop", "Password1!", "minapark1", "aaaaaaaaaaaa"])
async def test_a_guessable_password_is_refused(identity: Identity, password: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await make.register(identity, make.fresh_email(), password=password)
    assert make.reason(refused.value) == "PASSWORD_TOO_WEAK"


@pytest.mark.parametrize(
    ("field", "value"),
    [("time_zone", "Mars/Olympus"), ("email", "no address"), ("locale", "!"), ("display_name", "x" * 101)],
)
async def test_a_malformed_registration_is_refused(identity: Identity, field: str, value: str) -> None:
    request = members_pb2.RegisterMemberRequest(
        email=make.fresh_email(), password=make.PASSWORD, display_name="Mina"
    )
    setattr(request, field, value)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await identity.members.RegisterMember(request)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_an_intranet_address_and_a_name_full_of_odd_characters_are_good(identity: Identity) -> None:
    name = "박미나 \U0001f992\u202e\n--;'\""
    signed_in = await make.registered(identity, make.fresh_email("corp.local"), display_name=name)
    me = await identity.members.GetMember(
        members_pb2.GetMemberRequest(member_id="me"), metadata=signed_in.metadata
    )
    assert me.display_name == name


async def test_nothing_personal_stands_in_the_tables_in_plain_text(identity: Identity) -> None:
    email = make.fresh_email()
    await make.register(identity, email, display_name="Canary Wharf")
    await identity.mailbox.wait_for(email)
    dump = await _dump(identity)
    assert "wrtn_members" in dump
    for canary in (email, "Canary Wharf", make.PASSWORD):
        assert canary not in dump
        assert canary.encode().hex() not in dump


async def test_a_verification_token_is_kept_as_a_hash(identity: Identity) -> None:
    email = make.fresh_email()
    await make.register(identity, email)
    token = code_in(await identity.mailbox.wait_for(email))
    dump = await _dump(identity)
    assert bearers.digest(token).hex() in dump
    assert token not in dump


async def test_what_fails_at_verification_leaves_nothing(alone: Identity) -> None:
    """Member, address, account and events are one transaction: a failure late in it undoes all."""
    email = make.fresh_email()
    await make.register(alone, email)
    token = code_in(await alone.mailbox.wait_for(email))
    await _as_owner(alone, "ALTER TABLE wrtn_accounts ADD CONSTRAINT broken CHECK (code = 'never')")
    with pytest.raises(grpc.aio.AioRpcError):
        await make.verify(alone, token)
    member_id = str(bearers.owner_of(bearers.VERIFICATION, token))
    assert await make.published(alone, "member.activated", member_id) == []
    await _as_owner(alone, "ALTER TABLE wrtn_accounts DROP CONSTRAINT broken")
    assert (await make.verify(alone, token)).state == Member.STATE_ACTIVE


async def _sizes(identity: Identity) -> list[int]:
    tables = ("members", "emails", "email_verifications", "mails", "data_keys", "outbox")
    found = await _as_owner(
        identity, " UNION ALL ".join(f"SELECT count(*) FROM wrtn_{table}" for table in tables)
    )
    return [int(row[0]) for row in found]


async def _dump(identity: Identity) -> str:
    names = await _as_owner(identity, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    lines = []
    for (name,) in names:
        found = await _as_owner(identity, f"SELECT '{name}', t::text FROM {name} t")
        lines += [f"{row[0]} {row[1]}" for row in found]
    return "\n".join(lines)


async def _as_owner(identity: Identity, query: str) -> list[Any]:
    """Runs a statement with row level security out of the way, as only a superuser could."""
    return await make.as_superuser(identity, query)
