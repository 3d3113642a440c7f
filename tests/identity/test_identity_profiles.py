"""What members change of themselves."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity
from wrtn.identity.v1.members_pb2 import GetMemberRequest, Member, UpdateMemberRequest


async def update(identity: Identity, member: SignedIn, *mask: str, **values: Any) -> Member:
    """Changes the member."""
    request = UpdateMemberRequest(member=Member(**{"id": "me"} | values), update_mask=FieldMask(paths=mask))
    return await identity.members.UpdateMember(request, metadata=member.metadata)


async def read(identity: Identity, member: SignedIn) -> Member:
    """Reads the member as they see themself."""
    return await identity.members.GetMember(GetMemberRequest(member_id="me"), metadata=member.metadata)


async def test_a_member_changes_name_phone_locale_and_time_zone(identity: Identity) -> None:
    member = await make.member(identity)
    values = {"display_name": "Mina P.", "locale": "ko-KR", "time_zone": "Asia/Seoul"}
    answer = await update(identity, member, phone="+82 10-1234-5678", **values)
    found = await read(identity, member)
    assert answer == found
    assert {name: getattr(found, name) for name in values} == values
    assert found.phone == "+821012345678"


async def test_only_what_the_mask_names_changes(identity: Identity) -> None:
    member = await make.member(identity)
    await update(identity, member, "locale", locale="ko", display_name="Ignored", time_zone="Asia/Seoul")
    found = await read(identity, member)
    assert (found.locale, found.display_name, found.time_zone) == ("ko", "Mina Park", "UTC")


async def test_a_phone_is_removed_by_its_empty_text(identity: Identity) -> None:
    member = await make.member(identity)
    await update(identity, member, phone="+4930123456")
    await update(identity, member, "phone")
    assert (await read(identity, member)).phone == ""


async def test_the_phone_is_not_in_the_table_in_plain_text(identity: Identity) -> None:
    member = await make.member(identity)
    await update(identity, member, phone="+821012345678")
    query = f"SELECT phone FROM wrtn_members WHERE id = '{member.member_id}'"
    ((phone,),) = await make.as_superuser(identity, query)
    assert b"1012345678" not in phone


@pytest.mark.parametrize(
    ("mask", "values", "reason"),
    [
        ((), {"phone": "010-1234-5678"}, "PHONE_INVALID"),
        ((), {"phone": "+82"}, "PHONE_INVALID"),
        ((), {"phone": "+821"}, "PHONE_INVALID"),
        ((), {"phone": "+4930123456;ext=12"}, "PHONE_INVALID"),
        ((), {"phone": "tel:+4930123456;phone-context=x"}, "PHONE_INVALID"),
        ((), {"phone": "+" + "1" * 40}, "REQUEST_INVALID"),
        ((), {"time_zone": "Mars/Olympus"}, "TIME_ZONE_UNKNOWN"),
        ((), {"locale": "!"}, "REQUEST_INVALID"),
        ((), {"display_name": "x" * 101}, "REQUEST_INVALID"),
        (("display_name",), {}, "MEMBER_FIELD_EMPTY"),
        (("locale",), {}, "MEMBER_FIELD_EMPTY"),
        (("time_zone",), {}, "MEMBER_FIELD_EMPTY"),
        (("state",), {"state": Member.STATE_CLOSED}, "UPDATE_MASK_INVALID"),
        (("staff_right",), {"staff_right": 2}, "UPDATE_MASK_INVALID"),
        ((), {}, "UPDATE_MASK_INVALID"),
    ],
)
async def test_what_is_wrong_changes_nothing(
    identity: Identity, mask: tuple[str, ...], values: dict[str, Any], reason: str
) -> None:
    member = await make.member(identity)
    before = await read(identity, member)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await update(identity, member, *mask, **values)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert make.reason(refused.value) == reason
    assert await read(identity, member) == before


async def test_of_two_who_edit_the_same_version_the_second_is_told(identity: Identity) -> None:
    member = await make.member(identity)
    etag = (await read(identity, member)).etag
    await update(identity, member, display_name="First", etag=etag)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await update(identity, member, display_name="Second", etag=etag)
    assert refused.value.code() is grpc.StatusCode.ABORTED
    assert make.reason(refused.value) == "ETAG_MISMATCH"
    assert (await read(identity, member)).display_name == "First"


async def test_nobody_changes_another_member(identity: Identity) -> None:
    member, moderator = await make.member(identity), await make.staff(identity)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await update(identity, moderator, id=member.member_id, display_name="Mallory")
    assert make.reason(refused.value) == "MEMBER_NOT_FOUND"
    assert (await read(identity, member)).display_name == "Mina Park"


async def test_mails_follow_the_member_to_another_locale(identity: Identity) -> None:
    """The template has English alone; what counts is that the member's own locale is asked for."""
    member = await make.member(identity)
    await update(identity, member, locale="ko-KR")
    ((locale,),) = await make.rows(identity, "SELECT locale FROM wrtn_members", member.member_id)
    assert locale == "ko-KR"
