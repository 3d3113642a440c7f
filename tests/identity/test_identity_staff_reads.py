"""Whatever staff read of others is audited, and nobody reads it who was staff until a moment ago."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.identity import make
from tests.identity.data import refused
from tests.identity.make import SignedIn
from tests.identity.service import Identity
from tests.identity.test_identity_avatars import PNG, put
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_ADMINISTRATOR
from wrtn.identity.v1.avatars_pb2 import GetAvatarRequest
from wrtn.identity.v1.break_glass_pb2 import ListBreakGlassesRequest
from wrtn.identity.v1.erasures_pb2 import GetErasureCertificateRequest, ListErasureCertificatesRequest
from wrtn.identity.v1.erasures_pb2_grpc import ErasureServiceStub
from wrtn.identity.v1.members_pb2 import GetMemberRequest
from wrtn.identity.v1.staff_pb2 import (
    ListStaffAppointmentsRequest,
    ListStaffRequest,
    SearchMembersRequest,
)
from wrtn.identity.v1.suspensions_pb2 import ListSuspensionsRequest

Read = Callable[[Identity, SignedIn, str], Awaitable[Any]]
PLATFORM = "00000000-0000-0000-0000-000000000000"
CERTIFICATE = "01890000-0000-7000-8000-000000000001"


def erasures(identity: Identity) -> Any:
    """The stub of what has none among the others."""
    return ErasureServiceStub(identity.running.channel())


READS: dict[str, Read] = {
    "member.read": lambda identity, by, member_id: identity.members.GetMember(
        GetMemberRequest(member_id=member_id), metadata=by.metadata
    ),
    "avatar.read": lambda identity, by, member_id: identity.avatars.GetAvatar(
        GetAvatarRequest(member_id=member_id), metadata=by.metadata
    ),
    "suspensions.listed": lambda identity, by, member_id: identity.suspensions.ListSuspensions(
        ListSuspensionsRequest(member_id=member_id), metadata=by.metadata
    ),
    "members.searched": lambda identity, by, member_id: identity.staff.SearchMembers(
        SearchMembersRequest(), metadata=by.metadata
    ),
    "staff.listed": lambda identity, by, member_id: identity.staff.ListStaff(
        ListStaffRequest(), metadata=by.metadata
    ),
    "staff_appointments.listed": lambda identity, by, member_id: identity.staff.ListStaffAppointments(
        ListStaffAppointmentsRequest(), metadata=by.metadata
    ),
    "break_glasses.listed": lambda identity, by, member_id: identity.break_glass.ListBreakGlasses(
        ListBreakGlassesRequest(), metadata=by.metadata
    ),
    "erasure_certificates.listed": lambda identity, by, member_id: erasures(identity).ListErasureCertificates(
        ListErasureCertificatesRequest(), metadata=by.metadata
    ),
    "erasure_certificate.read": lambda identity, by, member_id: erasures(identity).GetErasureCertificate(
        GetErasureCertificateRequest(erasure_id=CERTIFICATE), metadata=by.metadata
    ),
}
"""Every read of staff, by the action that it is audited as."""
OF_A_MEMBER = ("member.read", "avatar.read", "suspensions.listed")


async def trail(identity: Identity, actor: SignedIn) -> list[tuple[Any, ...]]:
    """Answers tenant, action and right of what somebody did."""
    query = "SELECT tenant_id::text, action, staff_right FROM wrtn_audit_entries WHERE member_id = '{}'"
    return await make.as_superuser(identity, query.format(actor.member_id))


async def test_every_read_is_audited_and_refused_to_who_is_staff_no_more(identity: Identity) -> None:
    boss, member = await make.appointed(identity), await make.member(identity)
    await put(identity, member, PNG)
    await make.as_superuser(
        identity,
        "INSERT INTO wrtn_erasure_certificates (id, member_id, document, hash, create_time)"
        f" VALUES ('{CERTIFICATE}', '{CERTIFICATE}', '{{}}', '', now())",
    )
    before = await trail(identity, boss)
    for read in READS.values():
        await read(identity, boss, member.member_id)
    new = [each for each in await trail(identity, boss) if each not in before]
    assert sorted(new) == sorted(
        (member.member_id if action in OF_A_MEMBER else PLATFORM, action, STAFF_RIGHT_ADMINISTRATOR)
        for action in READS
    )
    # Past the service, so that the caches still know an administrator.
    await make.as_superuser(
        identity, f"UPDATE wrtn_members SET staff_right = 0 WHERE id = '{boss.member_id}'"
    )
    for action, read in READS.items():
        assert (await refused(read(identity, boss, member.member_id)))[1] == "NOT_ADMITTED", action
    assert len(await trail(identity, boss)) == len(before) + len(new)


async def test_what_one_reads_of_oneself_or_does_not_find_is_no_act_of_staff(identity: Identity) -> None:
    boss = await make.appointed(identity)
    await put(identity, boss, PNG)
    before = await trail(identity, boss)
    for named in ("me", boss.member_id):
        await READS["member.read"](identity, boss, named)
        await READS["avatar.read"](identity, boss, named)
    for action in OF_A_MEMBER:
        assert (await refused(READS[action](identity, boss, CERTIFICATE)))[1] == "MEMBER_NOT_FOUND"
    assert await trail(identity, boss) == before


@pytest.mark.parametrize("action", OF_A_MEMBER)
async def test_who_never_was_staff_reads_nothing_of_others(identity: Identity, action: str) -> None:
    one, other = await make.member(identity), await make.member(identity)
    reason = "NOT_ADMITTED" if action == "suspensions.listed" else "MEMBER_NOT_FOUND"
    assert (await refused(READS[action](identity, one, other.member_id)))[1] == reason
