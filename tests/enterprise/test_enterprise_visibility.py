"""The visibility of an enterprise: who sees it, who changes it, who is told."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from tests.enterprise.make import Worker, World
from wrtn.access.v1.access_pb2 import TITLE_MANAGER
from wrtn.enterprise.v1.visibility_pb2 import GetVisibilityRequest, UpdateVisibilityRequest, Visibility


async def seen(world: World, by: Worker) -> bool:
    """Says what the employee sees of the setting."""
    request = GetVisibilityRequest(enterprise_id=by.enterprise_id)
    return (await world.visibility.GetVisibility(request, metadata=by.metadata)).content_readable


async def turn(world: World, by: Worker, *, on: bool) -> Visibility:
    """Turns reading on or off."""
    request = UpdateVisibilityRequest(
        visibility=Visibility(enterprise_id=by.enterprise_id, content_readable=on),
        update_mask=FieldMask(paths=["content_readable"]),
        reason="The auditors ask.",
    )
    return await world.visibility.UpdateVisibility(request, metadata=by.metadata)


async def test_content_is_readable_by_nobody_else_until_an_owner_says_so_and_every_member_sees_it(
    world: World,
) -> None:
    owner = await world.owner()
    member = await world.hire(owner)
    assert not await seen(world, member)
    assert not (await world.resolve(owner)).content_readable
    changed = await turn(world, owner, on=True)
    assert changed.content_readable
    assert changed.HasField("update_time")
    assert await seen(world, member)
    assert (await world.resolve(member)).content_readable
    await turn(world, owner, on=False)
    assert not (await world.resolve(owner)).content_readable


async def test_a_change_is_audited_and_announced_once(world: World) -> None:
    owner = await world.owner()
    await turn(world, owner, on=False)
    assert "visibility.changed" not in await world.subjects(owner)
    for _ in range(2):
        await turn(world, owner, on=True)
    assert (await world.subjects(owner)).count("visibility.changed") == 1
    assert len(await world.audited(owner.enterprise_id, "visibility.changed")) == 1


async def test_managers_and_members_do_not_change_it(world: World) -> None:
    owner = await world.owner()
    for person in (await world.hire(owner, TITLE_MANAGER), await world.hire(owner)):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await turn(world, person, on=True)
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert not await seen(world, owner)
    stranger = await world.owner()
    request = GetVisibilityRequest(enterprise_id=owner.enterprise_id)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await world.visibility.GetVisibility(request, metadata=stranger.metadata)
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
