"""Appointing and dismissing staff, and what they find."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from chassis.clock import Clock
from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity
from tests.identity.test_identity_credentials import resolve
from wrtn.access.v1.access_pb2 import (
    STAFF_RIGHT_ADMINISTRATOR,
    STAFF_RIGHT_MODERATOR,
    STAFF_RIGHT_UNSPECIFIED,
    StaffRight,
)
from wrtn.identity.v1 import members_pb2, staff_pb2

CODES = grpc.StatusCode
NOT_ADMITTED = (CODES.PERMISSION_DENIED, "NOT_ADMITTED")


async def refused(call: Any) -> tuple[grpc.StatusCode, str]:
    """Answers code and reason of a call that has to fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), make.reason(caught.value)


async def appoint(
    identity: Identity,
    by: SignedIn,
    member_id: str,
    right: StaffRight.ValueType = STAFF_RIGHT_MODERATOR,
    request_id: str = "",
) -> staff_pb2.Staff:
    """Appoints a member."""
    request = staff_pb2.AppointStaffRequest(
        member_id=member_id, staff_right=right, reason="night shift", request_id=request_id
    )
    return await identity.staff.AppointStaff(request, metadata=by.metadata)


async def dismiss(identity: Identity, by: SignedIn, member_id: str) -> staff_pb2.DismissStaffResponse:
    """Dismisses a member of staff."""
    request = staff_pb2.DismissStaffRequest(member_id=member_id, reason="left us")
    return await identity.staff.DismissStaff(request, metadata=by.metadata)


async def staff_of(identity: Identity, by: SignedIn) -> dict[str, int]:
    """Lists the staff: rights by member."""
    found = await identity.staff.ListStaff(staff_pb2.ListStaffRequest(), metadata=by.metadata)
    return {each.member_id: each.staff_right for each in found.staff}


async def search(identity: Identity, by: SignedIn, **fields: Any) -> staff_pb2.SearchMembersResponse:
    """Searches members."""
    request = staff_pb2.SearchMembersRequest(**fields)
    return await identity.staff.SearchMembers(request, metadata=by.metadata)


async def test_an_administrator_appoints_and_dismisses(identity: Identity) -> None:
    boss, person = await make.appointed(identity), await make.member(identity)
    made = await appoint(identity, boss, person.member_id)
    assert (made.member_id, made.staff_right) == (person.member_id, STAFF_RIGHT_MODERATOR)
    assert (await resolve(identity, member=(person.member_id, "", ""))).staff_right == STAFF_RIGHT_MODERATOR
    await appoint(identity, boss, person.member_id, STAFF_RIGHT_ADMINISTRATOR)
    administrators = {boss.member_id: STAFF_RIGHT_ADMINISTRATOR, person.member_id: STAFF_RIGHT_ADMINISTRATOR}
    assert (await staff_of(identity, boss)).items() >= administrators.items()
    await dismiss(identity, boss, person.member_id)
    left = await staff_of(identity, boss)
    assert (boss.member_id in left, person.member_id in left) == (True, False)
    assert (await resolve(identity, member=(person.member_id, "", ""))).staff_right == STAFF_RIGHT_UNSPECIFIED
    assert await refused(dismiss(identity, boss, person.member_id)) == (CODES.NOT_FOUND, "STAFF_NOT_FOUND")
    assert len(await make.published(identity, "staff.appointed", person.member_id)) == 3


async def test_appointments_are_kept_with_who_decided_and_why_and_never_altered(alone: Identity) -> None:
    boss, person = await make.appointed(alone), await make.member(alone)
    await appoint(alone, boss, person.member_id)
    await dismiss(alone, boss, person.member_id)
    request = staff_pb2.ListStaffAppointmentsRequest(member_id=person.member_id)
    found = await alone.staff.ListStaffAppointments(request, metadata=boss.metadata)
    assert [
        (each.right_before, each.right_after, each.decider_member_id, each.reason)
        for each in found.staff_appointments
    ] == [(1, 0, boss.member_id, "left us"), (0, 1, boss.member_id, "night shift")]
    every = await alone.staff.ListStaffAppointments(
        staff_pb2.ListStaffAppointmentsRequest(page_size=2), metadata=boss.metadata
    )
    rest = await alone.staff.ListStaffAppointments(
        staff_pb2.ListStaffAppointmentsRequest(page_size=2, page_token=every.next_page_token),
        metadata=boss.metadata,
    )
    assert [each.member_id for each in rest.staff_appointments] == [boss.member_id]
    for change in (
        "UPDATE wrtn_staff_appointments SET right_after = 2",
        "DELETE FROM wrtn_staff_appointments",
    ):
        with pytest.raises(Exception, match="insert-only"):
            await make.as_superuser(alone, change)
    ((kept,),) = await make.as_superuser(
        alone, "SELECT count(*) FROM wrtn_staff_appointments WHERE reason = 'left us'::bytea"
    )
    assert kept == 0, "a reason is personal, and encrypted"


async def test_nobody_but_an_administrator_appoints(identity: Identity) -> None:
    boss, person = await make.appointed(identity), await make.member(identity)
    moderator = await make.appointed(identity, STAFF_RIGHT_MODERATOR)
    for by in (person, moderator):
        assert await refused(appoint(identity, by, person.member_id)) == NOT_ADMITTED
        assert await refused(dismiss(identity, by, boss.member_id)) == NOT_ADMITTED
    assert await refused(staff_of(identity, person)) == NOT_ADMITTED
    assert set(await staff_of(identity, moderator)) >= {boss.member_id, moderator.member_id}


async def test_nobody_appoints_themself(identity: Identity) -> None:
    boss, moderator = await make.appointed(identity), await make.appointed(identity, STAFF_RIGHT_MODERATOR)
    oneself = (CODES.PERMISSION_DENIED, "STAFF_APPOINTING_ONESELF")
    assert await refused(appoint(identity, boss, boss.member_id)) == oneself
    assert await refused(appoint(identity, boss, boss.member_id, STAFF_RIGHT_ADMINISTRATOR)) == oneself
    attempt = appoint(identity, moderator, moderator.member_id, STAFF_RIGHT_ADMINISTRATOR)
    assert await refused(attempt) == NOT_ADMITTED


async def test_the_last_administrator_stays(alone: Identity) -> None:
    boss = await make.appointed(alone)
    last = (CODES.FAILED_PRECONDITION, "STAFF_LAST_ADMINISTRATOR")
    assert await refused(dismiss(alone, boss, boss.member_id)) == last
    other = await make.appointed(alone)
    await dismiss(alone, boss, boss.member_id)
    assert await refused(dismiss(alone, other, other.member_id)) == last


async def test_of_two_who_dismiss_each_other_at_the_same_instant_one_stays(alone: Identity) -> None:
    one = await make.appointed(alone)
    for _ in range(3):
        two = await make.appointed(alone)
        answers = await asyncio.gather(
            dismiss(alone, one, two.member_id),
            dismiss(alone, two, one.member_id),
            return_exceptions=True,
        )
        assert sum(isinstance(each, staff_pb2.DismissStaffResponse) for each in answers) == 1
        (kept,) = await make.as_superuser(alone, "SELECT member_id::text FROM wrtn_staff")
        assert kept[0] in (one.member_id, two.member_id)
        others = await make.as_superuser(alone, "SELECT id::text FROM wrtn_members WHERE staff_right = 2")
        assert others == [kept]
        one = one if kept[0] == one.member_id else two


async def test_only_active_members_are_appointed(identity: Identity) -> None:
    boss = await make.appointed(identity)
    for member_id in (await make.pending(identity), str(Clock().new_id())):
        assert await refused(appoint(identity, boss, member_id)) == (CODES.NOT_FOUND, "MEMBER_NOT_FOUND")


async def test_an_appointment_repeated_is_one(identity: Identity) -> None:
    boss, person = await make.appointed(identity), await make.member(identity)
    first = await appoint(identity, boss, person.member_id, request_id="one")
    assert await appoint(identity, boss, person.member_id, request_id="one") == first
    assert await appoint(identity, boss, person.member_id) == first
    assert len(await make.published(identity, "staff.appointed", person.member_id)) == 1


async def test_every_appointment_is_audited(identity: Identity) -> None:
    boss, person = await make.appointed(identity), await make.member(identity)
    await appoint(identity, boss, person.member_id)
    await dismiss(identity, boss, person.member_id)
    found = await make.as_superuser(
        identity,
        "SELECT action, member_id::text FROM wrtn_audit_entries"
        f" WHERE target_id = '{person.member_id}' AND action LIKE 'staff.%' ORDER BY id",
    )
    assert found == [("staff.appointed", boss.member_id), ("staff.dismissed", boss.member_id)]


async def test_staff_find_members_by_the_very_address_and_page_by_page(alone: Identity) -> None:
    moderator = await make.appointed(alone, STAFF_RIGHT_MODERATOR)
    people = [await make.member(alone, display_name=f"Person {number}") for number in range(3)]
    await make.register(alone, make.fresh_email())
    (found,) = (await search(alone, moderator, email=people[1].email.upper())).members
    assert (found.id, found.display_name) == (people[1].member_id, "Person 1")
    assert not found.emails
    assert not (await search(alone, moderator, email="nobody@example.com")).members
    assert not (await search(alone, moderator, email=people[1].email[:-1])).members
    listed, token = [], ""
    while True:
        page = await search(
            alone,
            moderator,
            page_size=2,
            page_token=token,
            state=members_pb2.Member.STATE_ACTIVE,
        )
        listed += [each.display_name for each in page.members]
        token = page.next_page_token
        if not token:
            break
    assert listed == ["Person 2", "Person 1", "Person 0", "Mina Park"]
    assert await refused(search(alone, people[0])) == NOT_ADMITTED


async def test_a_search_is_audited_and_its_address_is_encrypted(identity: Identity) -> None:
    moderator = await make.appointed(identity, STAFF_RIGHT_MODERATOR)
    await search(identity, moderator, email="someone@example.com")
    (entry,) = await make.as_superuser(
        identity,
        "SELECT details::text, position('someone'::bytea in private) FROM wrtn_audit_entries"
        f" WHERE action = 'members.searched' AND member_id = '{moderator.member_id}'",
    )
    assert "someone" not in entry[0]
    assert entry[1] == 0
