"""The small pictures of members."""

from __future__ import annotations

import base64
from collections.abc import Awaitable

import grpc
import pytest

from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity
from wrtn.identity.v1.avatars_pb2 import Avatar, DeleteAvatarRequest, GetAvatarRequest, SetAvatarRequest
from wrtn.identity.v1.members_pb2 import GetMemberRequest

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
JPEG = b"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x40\x00\x40\x01\x01\x11\x00" + b"\x00" * 40 + b"\xff\xd9"
WEBP = b"RIFF\x24\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00" + b"\x00" * 4 + b"\xff\x03\x00" * 2
WIDE = WEBP[:24] + b"\x00\x04\x00" + WEBP[27:]
"""One pixel more than there may be."""


async def put(identity: Identity, member: SignedIn, image: bytes, member_id: str = "me") -> Avatar:
    """Sets an avatar."""
    request = SetAvatarRequest(member_id=member_id, image=image)
    return await identity.avatars.SetAvatar(request, metadata=member.metadata)


async def read(identity: Identity, member: SignedIn, member_id: str = "me") -> Avatar:
    """Reads an avatar."""
    return await identity.avatars.GetAvatar(GetAvatarRequest(member_id=member_id), metadata=member.metadata)


async def remove(identity: Identity, member: SignedIn, member_id: str = "me") -> None:
    """Removes an avatar."""
    await identity.avatars.DeleteAvatar(DeleteAvatarRequest(member_id=member_id), metadata=member.metadata)


async def refusal(call: Awaitable[object]) -> str:
    """Answers the reason for which a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return make.reason(refused.value)


@pytest.mark.parametrize(("image", "kind"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp")])
async def test_an_avatar_is_read_as_it_was_set(identity: Identity, image: bytes, kind: str) -> None:
    member = await make.member(identity)
    answer = await put(identity, member, image)
    assert (answer.media_type, answer.image) == (kind, b"")
    found = await read(identity, member)
    assert (found.media_type, found.image, found.member_id) == (kind, image, member.member_id)
    me = await identity.members.GetMember(GetMemberRequest(member_id="me"), metadata=member.metadata)
    assert me.avatar_time == found.create_time


async def test_another_avatar_takes_its_place_and_it_is_removed(identity: Identity) -> None:
    member = await make.member(identity)
    await put(identity, member, PNG)
    await put(identity, member, JPEG)
    assert (await read(identity, member)).image == JPEG
    for _ in range(2):
        await remove(identity, member)
    assert await refusal(read(identity, member)) == "AVATAR_NOT_FOUND"


@pytest.mark.parametrize(
    "image",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"GIF89a",
        b"\xff\xd8\xff",
        PNG[:8],
        b"RIFF1234WAVEfmt ",
        b"x",
    ],
)
async def test_what_is_no_image_by_its_bytes_is_refused(identity: Identity, image: bytes) -> None:
    member = await make.member(identity)
    await put(identity, member, PNG)
    assert await refusal(put(identity, member, image)) == "AVATAR_TYPE_UNSUPPORTED"
    assert (await read(identity, member)).image == PNG


async def test_an_image_of_few_bytes_but_many_pixels_is_refused(identity: Identity) -> None:
    member = await make.member(identity)
    assert await refusal(put(identity, member, WIDE)) == "AVATAR_TOO_LARGE"
    assert await refusal(read(identity, member)) == "AVATAR_NOT_FOUND"


async def test_an_avatar_has_256_kib_at_most(identity: Identity) -> None:
    member = await make.member(identity)
    largest = PNG.ljust(256 * 1024, b"\0")
    await put(identity, member, largest)
    assert await refusal(put(identity, member, largest + b"\0")) == "REQUEST_INVALID"
    assert await refusal(put(identity, member, b"")) == "REQUEST_INVALID"


async def test_an_avatar_is_kept_encrypted_and_bound_to_its_member(identity: Identity) -> None:
    member, other = await make.member(identity), await make.member(identity)
    await put(identity, member, PNG)
    await put(identity, other, JPEG)
    ((image,),) = await make.as_superuser(
        identity, f"SELECT image FROM wrtn_avatars WHERE member_id = '{member.member_id}'"
    )
    assert b"PNG" not in image
    await make.as_superuser(
        identity,
        f"UPDATE wrtn_avatars SET image = '\\x{image.hex()}' WHERE member_id = '{other.member_id}'",
    )
    with pytest.raises(grpc.aio.AioRpcError):
        await read(identity, other)


async def test_staff_see_an_avatar_and_nobody_else_does(identity: Identity) -> None:
    member, other, moderator = (
        await make.member(identity),
        await make.member(identity),
        await make.staff(identity),
    )
    await put(identity, member, PNG)
    assert (await read(identity, moderator, member.member_id)).image == PNG
    assert await refusal(read(identity, other, member.member_id)) == "MEMBER_NOT_FOUND"
    for by in (other, moderator):
        assert await refusal(put(identity, by, JPEG, member.member_id)) == "MEMBER_NOT_FOUND"
        assert await refusal(remove(identity, by, member.member_id)) == "MEMBER_NOT_FOUND"
    assert (await read(identity, member)).image == PNG
