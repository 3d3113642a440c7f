"""The further addresses of a member."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from grpc_status import rpc_status

from chassis.clock import Clock
from chassis.database import Scope
from services.identity import bearers
from services.identity.mail.letters import Letter
from services.identity.mail.post import Post
from services.identity.members import emails, members
from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity, MovableClock
from tests.identity.smtp_server import code_in, text_of
from wrtn.identity.v1.emails_pb2 import (
    CreateEmailRequest,
    DeleteEmailRequest,
    ListEmailsRequest,
    MakeEmailPrimaryRequest,
    ResendVerificationRequest,
)
from wrtn.identity.v1.mails_pb2 import SendMailRequest
from wrtn.identity.v1.members_pb2 import Email, Member


async def add(identity: Identity, member: SignedIn, address: str, **more: Any) -> Email:
    """Adds an address."""
    request = CreateEmailRequest(**{"member_id": "me", "address": address} | more)
    return await identity.emails.CreateEmail(request, metadata=member.metadata)


async def add_verified(identity: Identity, member: SignedIn, address: str = "") -> Email:
    """Adds an address and verifies it."""
    address = address or make.fresh_email()
    email = await add(identity, member, address)
    await make.verify(identity, code_in(await identity.mailbox.wait_for(address)))
    return email


async def resend(identity: Identity, member: SignedIn, email_id: str) -> Email:
    """Has another verification mailed."""
    request = ResendVerificationRequest(member_id="me", email_id=email_id)
    return await identity.emails.ResendVerification(request, metadata=member.metadata)


async def make_primary(identity: Identity, member: SignedIn, email_id: str) -> Email:
    """Makes an address the primary one."""
    request = MakeEmailPrimaryRequest(member_id="me", email_id=email_id)
    return await identity.emails.MakeEmailPrimary(request, metadata=member.metadata)


async def remove(identity: Identity, member: SignedIn, email_id: str, **more: Any) -> None:
    """Removes an address."""
    request = DeleteEmailRequest(**{"member_id": "me", "email_id": email_id} | more)
    await identity.emails.DeleteEmail(request, metadata=member.metadata)


async def listed(identity: Identity, member: SignedIn, page_size: int = 0) -> list[Email]:
    """Answers the member's addresses, page by page."""
    found: list[Email] = []
    token = ""
    while True:
        request = ListEmailsRequest(member_id="me", page_size=page_size, page_token=token)
        answer = await identity.emails.ListEmails(request, metadata=member.metadata)
        found += answer.emails
        token = answer.next_page_token
        if not token:
            return found


async def refusal(call: Awaitable[object]) -> str:
    """Answers the reason for which a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return make.reason(refused.value)


async def test_a_further_address_is_verified_and_signs_in(identity: Identity) -> None:
    member, address = await make.member(identity), make.fresh_email()
    added = await add(identity, member, address)
    assert not added.HasField("verify_time")
    assert await refusal(make.sign_in(identity, address)) == "SIGN_IN_REFUSED"
    verified = await make.verify(identity, code_in(await identity.mailbox.wait_for(address)))
    assert (verified.id, verified.state) == (member.member_id, Member.STATE_ACTIVE)
    assert (await make.sign_in(identity, address)).member_id == member.member_id
    (event,) = await make.published(identity, "email.verified", added.id)
    assert (event.member_id, event.email_id) == (member.member_id, added.id)
    assert len(await make.published(identity, "account.opened", member.member_id)) == 1


async def test_a_mail_reaches_its_member_at_any_verified_address(identity: Identity) -> None:
    """As an invitation does: it is written to the address, in the language of whoever has proven it."""
    member, address = await make.member(identity), make.fresh_email()
    await add_verified(identity, member, address)
    request = SendMailRequest(
        address=address, template="verify_email", values={"token": "x"}, request_id=make.fresh_id()
    )
    await identity.mails.SendMail(request, metadata=identity.peer())
    await identity.mailbox.wait_for(address, 2)


async def test_addresses_are_listed_with_the_primary_one_first_in_pages(identity: Identity) -> None:
    member = await make.member(identity)
    more = [await add(identity, member, make.fresh_email()) for _ in range(4)]
    for page_size in (0, 1, 2):
        found = await listed(identity, member, page_size)
        assert [each.address for each in found] == [member.email, *(each.address for each in more)]
        assert [each.primary for each in found] == [True, False, False, False, False]


async def test_adding_a_known_address_answers_alike_and_tells_its_owner(alone: Identity) -> None:
    owner, member = await make.member(alone), await make.member(alone)
    known, unknown = owner.email, make.fresh_email()
    sizes = []
    for address in (known, unknown):
        before = await _sizes(alone)
        answer = await add(alone, member, address)
        sizes.append([after - size for size, after in zip(before, await _sizes(alone), strict=True)])
        assert (answer.address, answer.primary, answer.HasField("verify_time")) == (address, False, False)
    assert sizes[0] == sizes[1]
    mail = await alone.mailbox.wait_for(known)
    assert "tried to add your address" in mail["Subject"]
    assert "Code:" not in text_of(mail)
    assert "wrtn_ev_" not in text_of(mail)
    assert (await make.sign_in(alone, known)).member_id == owner.member_id


async def test_an_unverified_claim_stops_neither_registering_nor_adding(identity: Identity) -> None:
    squatter, address = await make.member(identity), make.fresh_email()
    await add(identity, squatter, address)
    owner = await make.member(identity)
    await add(identity, owner, address)
    await identity.mailbox.wait_for(address, 2)
    tokens = {code_in(mail) for mail in identity.mailbox.to(address)}
    (token,) = [
        each for each in tokens if str(bearers.owner_of(bearers.VERIFICATION, each)) == owner.member_id
    ]
    await make.verify(identity, token)
    assert (await make.sign_in(identity, address)).member_id == owner.member_id


async def test_of_two_members_who_verify_one_address_at_once_one_has_it(identity: Identity) -> None:
    one, other = await make.member(identity), await make.member(identity)
    for _ in range(4):
        address = make.fresh_email()
        await add(identity, one, address)
        await add(identity, other, address)
        await identity.mailbox.wait_for(address, 2)
        tokens = [code_in(mail) for mail in identity.mailbox.to(address)]
        outcomes = await asyncio.gather(
            *(make.verify(identity, token) for token in tokens), return_exceptions=True
        )
        (winner,) = [each for each in outcomes if isinstance(each, Member)]
        (refused,) = [each for each in outcomes if isinstance(each, grpc.aio.AioRpcError)]
        assert make.reason(refused) == "VERIFICATION_REFUSED"
        assert (await make.sign_in(identity, address)).member_id == winner.id


async def test_an_address_is_added_once(identity: Identity) -> None:
    member, address = await make.member(identity), make.fresh_email()
    await add(identity, member, address)
    assert await refusal(add(identity, member, address.upper())) == "EMAIL_EXISTS"
    assert await refusal(add(identity, member, member.email)) == "EMAIL_EXISTS"
    assert len(await listed(identity, member)) == 2


async def test_a_repeated_adding_has_one_effect(identity: Identity) -> None:
    member, address = await make.member(identity), make.fresh_email()
    answers = await asyncio.gather(*(add(identity, member, address, request_id="one") for _ in range(5)))
    assert len({each.id for each in answers}) == 1
    assert len(await listed(identity, member)) == 2


async def test_a_member_has_ten_addresses_at_most_also_when_adding_at_once(identity: Identity) -> None:
    member = await make.member(identity)
    outcomes = await asyncio.gather(
        *(add(identity, member, make.fresh_email()) for _ in range(11)), return_exceptions=True
    )
    refused = [make.reason(each) for each in outcomes if isinstance(each, grpc.aio.AioRpcError)]
    assert refused == ["EMAILS_EXHAUSTED"] * 2
    assert len(await listed(identity, member)) == 10


async def test_a_verification_is_mailed_again_once_a_minute(identity: Identity, clock: MovableClock) -> None:
    member, address = await make.member(identity), make.fresh_email()
    email = await add(identity, member, address)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await resend(identity, member, email.id)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert make.reason(refused.value) == "VERIFICATION_THROTTLED"
    assert 50 < _retry_after(refused.value) <= 60
    clock.ahead += timedelta(seconds=61)
    await resend(identity, member, email.id)
    await identity.mailbox.wait_for(address, 2)
    first, second = (code_in(mail) for mail in identity.mailbox.to(address))
    assert first != second
    assert (await make.verify(identity, first)).id == member.member_id, "the first one stays good"
    assert await refusal(make.verify(identity, second)) == "VERIFICATION_REFUSED"


async def test_ten_verifications_are_mailed_a_day_also_after_removing(
    identity: Identity, clock: MovableClock
) -> None:
    member = await make.registered(identity)
    address = make.fresh_email()
    # One was mailed when the member registered.
    for _ in range(9):
        clock.ahead += timedelta(minutes=2)
        member = await make.sign_in(identity, member.email)
        email = await add(identity, member, address)
        await remove(identity, member, email.id)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await add(identity, member, address)
    assert make.reason(refused.value) == "VERIFICATION_THROTTLED"
    assert 23 * 3600 < _retry_after(refused.value) <= 24 * 3600
    assert len(await listed(identity, member)) == 1, "nothing was added"
    clock.ahead += timedelta(hours=24, minutes=1)
    member = await make.sign_in(identity, member.email)
    await add(identity, member, address)


async def test_a_verified_address_needs_no_other_verification(identity: Identity) -> None:
    member = await make.member(identity)
    email = await add_verified(identity, member)
    assert await refusal(resend(identity, member, email.id)) == "EMAIL_VERIFIED"


async def test_a_verified_address_becomes_primary_and_the_one_before_is_told(identity: Identity) -> None:
    member = await make.member(identity)
    email = await add_verified(identity, member)
    answers = await asyncio.gather(*(make_primary(identity, member, email.id) for _ in range(4)))
    assert all(each.primary for each in answers)
    found = await listed(identity, member)
    assert [(each.address, each.primary) for each in found] == [(email.address, True), (member.email, False)]
    mail = await identity.mailbox.wait_for(member.email)
    assert "primary address" in mail["Subject"]
    assert len(identity.mailbox.to(member.email)) == 1
    assert (await make.sign_in(identity, member.email)).member_id == member.member_id


async def test_an_unverified_address_does_not_become_primary(identity: Identity) -> None:
    member = await make.member(identity)
    email = await add(identity, member, make.fresh_email())
    assert await refusal(make_primary(identity, member, email.id)) == "EMAIL_NOT_VERIFIED"
    assert (await listed(identity, member))[0].address == member.email


async def test_a_removed_address_is_free(identity: Identity) -> None:
    member, other = await make.member(identity), await make.member(identity)
    email = await add_verified(identity, member)
    await remove(identity, member, email.id)
    assert await refusal(make.sign_in(identity, email.address)) == "SIGN_IN_REFUSED"
    assert await refusal(remove(identity, member, email.id)) == "EMAIL_NOT_FOUND"
    (event,) = await make.published(identity, "email.removed", member.member_id)
    assert (event.member_id, event.email_id) == (member.member_id, email.id)
    await add(identity, other, email.address)
    token = code_in(await identity.mailbox.wait_for(email.address, 2))
    assert (await make.verify(identity, token)).id == other.member_id


async def test_the_last_verified_address_and_the_primary_one_stay(identity: Identity) -> None:
    member = await make.member(identity)
    (primary,) = await listed(identity, member)
    unverified = await add(identity, member, make.fresh_email())
    assert await refusal(remove(identity, member, primary.id)) == "EMAIL_LAST_VERIFIED"
    await remove(identity, member, unverified.id)
    second = await add_verified(identity, member)
    assert await refusal(remove(identity, member, primary.id)) == "EMAIL_PRIMARY"
    await make_primary(identity, member, second.id)
    await remove(identity, member, primary.id)
    assert [each.address for each in await listed(identity, member)] == [second.address]


async def test_two_addresses_removed_at_once_leave_one(identity: Identity) -> None:
    member = await make.member(identity)
    second = await add_verified(identity, member)
    primary = (await listed(identity, member))[0]
    await asyncio.gather(
        make_primary(identity, member, second.id),
        remove(identity, member, primary.id),
        remove(identity, member, second.id),
        return_exceptions=True,
    )
    left = await listed(identity, member)
    assert [each.primary for each in left if each.HasField("verify_time")].count(True) == 1


async def test_nobody_reaches_anothers_addresses(identity: Identity) -> None:
    member, other = await make.member(identity), await make.staff(identity)
    email = await add(identity, member, make.fresh_email())
    calls: list[Awaitable[object]] = [
        add(identity, other, make.fresh_email(), member_id=member.member_id),
        remove(identity, other, email.id, member_id=member.member_id),
        identity.emails.ListEmails(ListEmailsRequest(member_id=member.member_id), metadata=other.metadata),
    ]
    assert [await refusal(each) for each in calls] == ["MEMBER_NOT_FOUND"] * 3
    for mine in (remove, resend, make_primary):
        assert await refusal(mine(identity, other, email.id)) == "EMAIL_NOT_FOUND"
    assert len(await listed(identity, member)) == 2


async def test_the_token_of_a_removed_address_proves_nothing(identity: Identity) -> None:
    member, address = await make.member(identity), make.fresh_email()
    email = await add(identity, member, address)
    token = code_in(await identity.mailbox.wait_for(address))
    await remove(identity, member, email.id)
    assert await refusal(make.verify(identity, token)) == "VERIFICATION_REFUSED"


async def test_every_change_of_addresses_is_audited(identity: Identity) -> None:
    member = await make.registered(identity)
    primary = (await listed(identity, member))[0]
    email = await add_verified(identity, member)
    await make_primary(identity, member, email.id)
    await remove(identity, member, primary.id)
    actions = [action for action, _ in await make.audited(identity, member.member_id)]
    wanted = ["email.verified", "email.added", "email.verified", "email.made_primary", "email.removed"]
    assert [each for each in actions if each.startswith("email.")] == wanted


async def _sizes(identity: Identity) -> list[int]:
    tables = ("members", "emails", "email_verifications", "mails", "data_keys", "outbox", "audit_entries")
    found = await make.as_superuser(
        identity, " UNION ALL ".join(f"SELECT count(*) FROM wrtn_{table}" for table in tables)
    )
    return [int(row[0]) for row in found]


def _retry_after(error: grpc.aio.AioRpcError) -> float:
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        info = RetryInfo()
        if detail.Unpack(info):
            return float(info.retry_delay.seconds)
    return 0.0


class Noting(Post):
    """A post that notes in which language it was asked to write."""

    def __init__(self) -> None:
        super().__init__(sender="a@example.com", public_url=None)
        self.asked: list[tuple[str, str]] = []

    def letter(self, template: str, locale: str, values: Mapping[str, str]) -> Letter:
        """Notes it, and writes."""
        self.asked.append((template, locale))
        return super().letter(template, locale, values)


async def test_the_owner_of_an_address_is_written_to_in_their_own_language(identity: Identity) -> None:
    owner, other = await make.member(identity), await make.member(identity)
    await make.as_superuser(identity, f"UPDATE wrtn_members SET locale = 'ko' WHERE id = '{owner.member_id}'")
    runtime, post, new = identity.running.runtime, Noting(), Clock().new_id()
    stranger = members.Person(new, owner.email, "Somebody", "no hash", locale="fr")
    async with runtime.db.transaction(Scope.of(member_id=new)) as tx:
        await members.register(tx, runtime.keyring, post, stranger)
    adding = UUID(other.member_id)
    async with runtime.db.transaction(Scope.of(member_id=adding)) as tx:
        await emails.add(tx, runtime.keyring, post, adding, owner.email)
        await emails.add(tx, runtime.keyring, post, adding, make.fresh_email())
    assert post.asked == [("already_registered", "ko"), ("email_taken", "ko"), ("verify_email", "en")]
    # And the rows are those of who asked, as ever.
    rows = await make.rows(identity, "SELECT * FROM wrtn_email_verifications", other.member_id)
    assert len(rows) == 2
