"""Break-glass: opening a tenant's content to staff, and who is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from chassis.clock import Clock
from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity, MovableClock
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_MODERATOR, Title
from wrtn.identity.v1 import auth_pb2, break_glass_pb2, staff_pb2
from wrtn.identity.v1.break_glass_pb2 import BreakGlass

CODES = grpc.StatusCode
NOT_ADMITTED = (CODES.PERMISSION_DENIED, "NOT_ADMITTED")
WHY = "ticket 4711: the answers are said to be lost"


async def refused(call: Any) -> tuple[grpc.StatusCode, str]:
    """Answers code and reason of a call that has to fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), make.reason(caught.value)


async def break_(identity: Identity, by: SignedIn, tenant_id: str, seconds: int | None = None) -> BreakGlass:
    """Opens a tenant."""
    request = break_glass_pb2.OpenBreakGlassRequest(tenant_id=tenant_id, reason=WHY)
    if seconds is not None:
        request.duration.CopyFrom(Duration(seconds=seconds))
    return await identity.break_glass.OpenBreakGlass(request, metadata=by.metadata)


async def close(identity: Identity, by: SignedIn, break_glass_id: str) -> BreakGlass:
    """Closes it."""
    request = break_glass_pb2.CloseBreakGlassRequest(break_glass_id=break_glass_id)
    return await identity.break_glass.CloseBreakGlass(request, metadata=by.metadata)


async def may_read(identity: Identity, by: SignedIn, tenant_id: str) -> str:
    """Answers by which use somebody may read, as sessions asks; empty if by none."""
    ((login_id,),) = await make.as_superuser(
        identity,
        f"SELECT id::text FROM wrtn_logins WHERE member_id = '{by.member_id}' ORDER BY create_time LIMIT 1",
    )
    request = break_glass_pb2.CheckBreakGlassRequest(
        member_id=by.member_id, login_id=login_id, tenant_id=tenant_id
    )
    found = await identity.break_glass.CheckBreakGlass(request, metadata=identity.peer("sessions"))
    return found.break_glass_id


async def test_one_tenant_is_open_to_one_administrator_for_an_hour(
    identity: Identity, clock: MovableClock
) -> None:
    boss, other, person = (
        await make.appointed(identity),
        await make.appointed(identity),
        await make.member(identity),
    )
    assert await may_read(identity, boss, person.account_id) == ""
    made = await break_(identity, boss, person.account_id)
    assert (made.tenant_id, made.member_id, made.reason) == (person.account_id, boss.member_id, WHY)
    assert made.expire_time.seconds - made.create_time.seconds == 3600
    assert await may_read(identity, boss, person.account_id) == made.id
    assert await may_read(identity, boss, other.account_id) == ""
    assert await may_read(identity, other, person.account_id) == ""
    clock.ahead += timedelta(minutes=59)
    assert await may_read(identity, boss, person.account_id) == made.id
    clock.ahead += timedelta(minutes=2)
    assert await may_read(identity, boss, person.account_id) == ""


async def test_it_lasts_eight_hours_at_most(identity: Identity) -> None:
    boss, person = await make.appointed(identity), await make.member(identity)
    assert (await refused(break_(identity, boss, person.account_id, 8 * 3600 + 1)))[
        0
    ] is CODES.INVALID_ARGUMENT
    made = await break_(identity, boss, person.account_id, 8 * 3600)
    assert made.expire_time.seconds - made.create_time.seconds == 8 * 3600
    # Opening it again prolongs nothing.
    assert await break_(identity, boss, person.account_id, 60) == made


async def test_it_ends_when_it_is_closed_or_its_opener_is_dismissed_or_signs_out(identity: Identity) -> None:
    boss, other = await make.appointed(identity), await make.appointed(identity)
    person = await make.member(identity)
    made = await break_(identity, boss, person.account_id)
    closed = await close(identity, other, made.id)
    assert closed.HasField("close_time")
    assert await close(identity, boss, made.id) == closed
    assert await may_read(identity, boss, person.account_id) == ""
    again = await break_(identity, boss, person.account_id)
    assert again.id != made.id
    dismissal = staff_pb2.DismissStaffRequest(member_id=boss.member_id, reason="left us")
    await identity.staff.DismissStaff(dismissal, metadata=other.metadata)
    assert await may_read(identity, boss, person.account_id) == ""
    mine = await break_(identity, other, person.account_id)
    assert await may_read(identity, other, person.account_id) == mine.id
    await identity.auth.SignOut(auth_pb2.SignOutRequest(), metadata=other.metadata)
    assert await may_read(identity, other, person.account_id) == ""


async def test_administrators_alone_open_it_and_only_what_exists(identity: Identity) -> None:
    boss, person = await make.appointed(identity), await make.member(identity)
    moderator = await make.appointed(identity, STAFF_RIGHT_MODERATOR)
    for by in (moderator, person):
        assert await refused(break_(identity, by, person.account_id)) == NOT_ADMITTED
    missing = str(Clock().new_id())
    assert await refused(break_(identity, boss, missing)) == (CODES.NOT_FOUND, "TENANT_NOT_FOUND")
    assert await refused(close(identity, boss, missing)) == (CODES.NOT_FOUND, "BREAK_GLASS_NOT_FOUND")


async def test_the_owners_of_an_enterprise_see_each_use_and_nobody_elses(identity: Identity) -> None:
    boss = await make.appointed(identity)
    enterprise_id, owner = await make.owner(identity)
    elsewhere, stranger = await make.owner(identity)
    made = await break_(identity, boss, enterprise_id)
    await break_(identity, boss, elsewhere)
    request = break_glass_pb2.ListEnterpriseBreakGlassesRequest(enterprise_id=enterprise_id)
    found = await identity.break_glass.ListEnterpriseBreakGlasses(request, metadata=owner.metadata)
    assert list(found.break_glasses) == [made]
    assert (
        await refused(identity.break_glass.ListEnterpriseBreakGlasses(request, metadata=stranger.metadata))
    )[0] is CODES.NOT_FOUND
    identity.titles[enterprise_id, owner.account_id] = Title.TITLE_MANAGER
    identity.running.runtime.access.clear()
    assert (
        await refused(identity.break_glass.ListEnterpriseBreakGlasses(request, metadata=owner.metadata))
        == NOT_ADMITTED
    )


async def test_the_holder_of_a_personal_account_sees_each_use(identity: Identity) -> None:
    boss, person, other = (
        await make.appointed(identity),
        await make.member(identity),
        await make.member(identity),
    )
    made = await break_(identity, boss, person.account_id)
    await break_(identity, boss, other.account_id)
    request = break_glass_pb2.ListAccountBreakGlassesRequest(account_id=person.account_id)
    found = await identity.break_glass.ListAccountBreakGlasses(request, metadata=person.metadata)
    assert list(found.break_glasses) == [made]
    assert await refused(identity.break_glass.ListAccountBreakGlasses(request, metadata=other.metadata)) == (
        CODES.NOT_FOUND,
        "ACCOUNT_NOT_FOUND",
    )
    every = await identity.break_glass.ListBreakGlasses(
        break_glass_pb2.ListBreakGlassesRequest(), metadata=boss.metadata
    )
    newest = [each.tenant_id for each in every.break_glasses[:2]]
    assert newest == [other.account_id, person.account_id]


async def test_opening_and_closing_is_audited_for_the_tenant_and_told(identity: Identity) -> None:
    boss, person = await make.appointed(identity), await make.member(identity)
    made = await break_(identity, boss, person.account_id)
    await close(identity, boss, made.id)
    found = await make.as_superuser(
        identity,
        "SELECT action, member_id::text, staff_right FROM wrtn_audit_entries"
        f" WHERE tenant_id = '{person.account_id}' AND action LIKE 'break_glass.%' ORDER BY id",
    )
    assert found == [("break_glass.opened", boss.member_id, 2), ("break_glass.closed", boss.member_id, 2)]
    assert "may read conversations" in (await identity.mailbox.wait_for(person.email))["Subject"]
    (event,) = await make.published(identity, "break_glass.opened", person.account_id)
    assert (event.break_glass_id, event.tenant_id) == (made.id, person.account_id)
    ((plain,),) = await make.as_superuser(
        identity, "SELECT count(*) FROM wrtn_break_glasses WHERE position('4711'::bytea in reason) > 0"
    )
    assert plain == 0, "a reason is encrypted"
