"""Suspending members and letting them go on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import grpc
import pytest

from chassis.clock import Clock
from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity
from tests.identity.smtp_server import text_of
from wrtn.access.v1.access_pb2 import StaffRight
from wrtn.identity.v1.members_pb2 import GetMemberRequest, Hold, Member
from wrtn.identity.v1.principals_pb2 import Principal, ResolvePrincipalRequest
from wrtn.identity.v1.suspensions_pb2 import (
    ListSuspensionsRequest,
    ReinstateMemberRequest,
    SuspendMemberRequest,
    Suspension,
)

ABUSE, LEGAL = Hold.REASON_ABUSE, Hold.REASON_LEGAL


async def suspend(
    identity: Identity,
    by: SignedIn,
    member_id: str,
    reason: Hold.Reason.ValueType = ABUSE,
    note: str = "Spam.",
) -> Member:
    """Suspends a member."""
    request = SuspendMemberRequest(member_id=member_id, reason=reason, note=note)
    return await identity.suspensions.SuspendMember(request, metadata=by.metadata)


async def reinstate(
    identity: Identity, by: SignedIn, member_id: str, reason: Hold.Reason.ValueType = ABUSE
) -> Member:
    """Lifts a hold."""
    request = ReinstateMemberRequest(member_id=member_id, reason=reason, note="Made up for.")
    return await identity.suspensions.ReinstateMember(request, metadata=by.metadata)


async def record(identity: Identity, by: SignedIn, member_id: str) -> list[Suspension]:
    """Answers what was done to a member."""
    request = ListSuspensionsRequest(member_id=member_id)
    answer = await identity.suspensions.ListSuspensions(request, metadata=by.metadata)
    return list(answer.suspensions)


async def principal(identity: Identity, member: SignedIn) -> Principal:
    """Answers what other services hear of a member."""
    asked = ResolvePrincipalRequest.MemberLogin(member_id=member.member_id, account_id=member.account_id)
    return await identity.principals.ResolvePrincipal(
        ResolvePrincipalRequest(member=asked), metadata=identity.peer()
    )


async def refusal(call: Awaitable[object]) -> str:
    """Answers the reason for which a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return make.reason(refused.value)


async def test_a_suspended_member_is_refused_on_every_path_at_once(identity: Identity) -> None:
    moderator, member = await make.staff(identity), await make.member(identity)
    assert await make.works(identity, member)
    suspended = await suspend(identity, moderator, member.member_id)
    assert suspended.state == Member.STATE_SUSPENDED
    assert not await make.works(identity, member)
    assert not (await principal(identity, member)).active
    assert await refusal(make.refresh(identity, member.pair.refresh_token)) == "REFRESH_TOKEN_REFUSED"
    assert await refusal(make.sign_in(identity, member.email)) == "MEMBER_SUSPENDED"
    (event,) = await make.published(identity, "member.suspended", member.member_id)
    assert event.member_id == member.member_id


async def test_only_who_knows_the_password_learns_of_the_suspension(identity: Identity) -> None:
    moderator, member = await make.staff(identity), await make.member(identity)
    await suspend(identity, moderator, member.member_id)
    wrong = await refusal(make.sign_in(identity, member.email, "a wrong passphrase"))
    unknown = await refusal(make.sign_in(identity, make.fresh_email(), make.PASSWORD))
    assert wrong == unknown == "SIGN_IN_REFUSED"


async def test_a_suspension_is_told_to_the_other_services_within_a_second(identity: Identity) -> None:
    """They drop by this event what they know of the member."""
    moderator, member = await make.staff(identity), await make.member(identity)
    heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    listener = identity.running.runtime.bus.listen(
        "wrtn.identity.v1.member.suspended", lambda notice: heard.set_result(notice.headers["ce-subject"])
    )
    await suspend(identity, moderator, member.member_id)
    async with asyncio.timeout(1):
        assert await heard == member.member_id
    await listener.close()


async def test_a_reinstated_member_goes_on_with_the_same_login(identity: Identity) -> None:
    moderator, member = await make.staff(identity), await make.member(identity)
    await suspend(identity, moderator, member.member_id)
    await refusal(make.refresh(identity, member.pair.refresh_token))
    reinstated = await reinstate(identity, moderator, member.member_id)
    assert (reinstated.state, len(reinstated.holds)) == (Member.STATE_ACTIVE, 0)
    assert await make.works(identity, member)
    assert (await make.refresh(identity, member.pair.refresh_token)).access_token
    (event,) = await make.published(identity, "member.reinstated", member.member_id)
    assert event.member_id == member.member_id


async def test_a_member_stays_suspended_until_the_last_hold_is_lifted(identity: Identity) -> None:
    moderator, member = await make.staff(identity), await make.member(identity)
    await suspend(identity, moderator, member.member_id, ABUSE)
    held = await suspend(identity, moderator, member.member_id, LEGAL)
    assert [each.reason for each in held.holds] == [ABUSE, LEGAL]
    still = await reinstate(identity, moderator, member.member_id, ABUSE)
    assert (still.state, [each.reason for each in still.holds]) == (Member.STATE_SUSPENDED, [LEGAL])
    free = await reinstate(identity, moderator, member.member_id, LEGAL)
    assert free.state == Member.STATE_ACTIVE
    assert len(await make.published(identity, "member.suspended", member.member_id)) == 1
    assert len(await make.published(identity, "member.reinstated", member.member_id)) == 1


async def test_repeating_a_suspension_or_a_reinstatement_changes_nothing(identity: Identity) -> None:
    moderator, member = await make.staff(identity), await make.member(identity)
    await asyncio.gather(*(suspend(identity, moderator, member.member_id) for _ in range(5)))
    assert len(await record(identity, moderator, member.member_id)) == 1
    await asyncio.gather(*(reinstate(identity, moderator, member.member_id) for _ in range(5)))
    assert len(await record(identity, moderator, member.member_id)) == 2
    assert len(await make.published(identity, "member.reinstated", member.member_id)) == 1


async def test_the_record_tells_who_did_what_and_why_the_newest_first(identity: Identity) -> None:
    moderator, member = await make.staff(identity), await make.member(identity)
    await suspend(identity, moderator, member.member_id, note="Canary in a note.")
    await reinstate(identity, moderator, member.member_id)
    lifted, placed = await record(identity, moderator, member.member_id)
    assert (placed.action, placed.reason, placed.note) == (
        Suspension.ACTION_PLACED,
        ABUSE,
        "Canary in a note.",
    )
    assert (lifted.action, lifted.note) == (Suspension.ACTION_LIFTED, "Made up for.")
    assert placed.decider_member_id == lifted.decider_member_id == moderator.member_id
    dump = await make.as_superuser(identity, "SELECT note FROM wrtn_suspensions")
    assert all(b"Canary" not in note for (note,) in dump)


@pytest.mark.parametrize(
    "change",
    ["UPDATE wrtn_suspensions SET reason = 'x'", "DELETE FROM wrtn_suspensions", "TRUNCATE wrtn_suspensions"],
)
async def test_the_record_refuses_every_change(identity: Identity, change: str) -> None:
    moderator, member = await make.staff(identity), await make.member(identity)
    await suspend(identity, moderator, member.member_id)
    with pytest.raises(Exception, match="insert-only"):
        await make.as_superuser(identity, change)


async def test_the_member_is_told_by_mail_but_not_the_note(identity: Identity) -> None:
    moderator, member = await make.staff(identity), await make.member(identity)
    await suspend(identity, moderator, member.member_id, note="Canary")
    mail = await identity.mailbox.wait_for(member.email)
    assert "suspended" in mail["Subject"]
    assert "Canary" not in text_of(mail)


async def test_staff_are_not_suspended_before_their_right_is_taken(identity: Identity) -> None:
    administrator = await make.staff(identity, StaffRight.STAFF_RIGHT_ADMINISTRATOR)
    moderator = await make.staff(identity)
    for by, whom in ((moderator, administrator), (administrator, moderator), (moderator, moderator)):
        assert await refusal(suspend(identity, by, whom.member_id)) == "MEMBER_IS_STAFF"
        assert await make.published(identity, "member.suspended", whom.member_id) == []


async def test_who_is_pending_or_unknown_is_not_suspended(identity: Identity) -> None:
    moderator = await make.staff(identity)
    pending = await make.pending(identity)
    assert await refusal(suspend(identity, moderator, pending)) == "MEMBER_STATE_REFUSED"
    unknown = str(Clock().new_id())
    assert await refusal(suspend(identity, moderator, unknown)) == "MEMBER_NOT_FOUND"
    assert await refusal(reinstate(identity, moderator, unknown)) == "MEMBER_NOT_FOUND"
    assert await refusal(record(identity, moderator, unknown)) == "MEMBER_NOT_FOUND"


async def test_members_suspend_nobody(identity: Identity) -> None:
    one, other = await make.member(identity), await make.member(identity)
    for whom in (one, other):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await suspend(identity, one, whom.member_id)
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_staff_see_the_holds_of_a_member_and_not_the_address(identity: Identity) -> None:
    moderator, member = await make.staff(identity), await make.member(identity)
    await suspend(identity, moderator, member.member_id)
    seen = await identity.members.GetMember(
        GetMemberRequest(member_id=member.member_id), metadata=moderator.metadata
    )
    assert [each.reason for each in seen.holds] == [ABUSE]
    assert (len(seen.emails), seen.phone) == (0, "")


async def test_every_hold_is_audited(identity: Identity) -> None:
    moderator, member = await make.staff(identity), await make.member(identity)
    await suspend(identity, moderator, member.member_id)
    await reinstate(identity, moderator, member.member_id)
    found = await make.audited(identity, member.member_id)
    entries = [each for each in found if each[0].startswith("hold.")]
    assert [each[0] for each in entries] == ["hold.placed", "hold.lifted"]
    assert {str(each[1]) for each in entries} == {moderator.member_id}
