"""Enterprises are changed, get a logo, are suspended, closed and brought back."""

from __future__ import annotations

import asyncio
import struct
from datetime import timedelta
from typing import Any, cast

import grpc
import pytest

from chassis.testing.clocks import MovableClock
from tests.enterprise.identity import Metadata
from tests.enterprise.make import Worker, World, refused
from wrtn.access.v1.access_pb2 import (
    DUTY_SECURITY,
    STAFF_RIGHT_MODERATOR,
    STAFF_RIGHT_UNSPECIFIED,
    TITLE_MANAGER,
    TITLE_OWNER,
)
from wrtn.enterprise.v1 import enterprises_pb2 as pb
from wrtn.enterprise.v1.access_pb2 import Access

INVALID = grpc.StatusCode.INVALID_ARGUMENT
FAILED = grpc.StatusCode.FAILED_PRECONDITION
SUSPENDED = pb.ENTERPRISE_STATE_SUSPENDED
NOT_FOUND = (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
NOT_ADMITTED = (grpc.StatusCode.PERMISSION_DENIED, "NOT_ADMITTED")
PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 64, 32) + b"\x08\x06\x00\x00\x00"
JPEG = (
    b"\xff\xd8\xff\xe0"
    + struct.pack(">H", 4)
    + b"ab"
    + b"\xff\xc0"
    + struct.pack(">HBHH", 11, 8, 32, 64)
    + b"x\xff\xd9"
)


async def get(world: World, by: Worker) -> pb.Enterprise:
    request = pb.GetEnterpriseRequest(enterprise_id=by.enterprise_id)
    return await world.enterprises.GetEnterprise(request, metadata=by.metadata)


async def update(world: World, by: Worker, *paths: str, **values: Any) -> pb.Enterprise:
    request = pb.UpdateEnterpriseRequest(enterprise=pb.Enterprise(id=by.enterprise_id, **values))
    request.update_mask.paths.extend(paths)
    return await world.enterprises.UpdateEnterprise(request, metadata=by.metadata)


async def set_logo(world: World, by: Worker, image: bytes) -> pb.Enterprise:
    request = pb.SetLogoRequest(enterprise_id=by.enterprise_id, image=image)
    return await world.enterprises.SetLogo(request, metadata=by.metadata)


async def listed(world: World, by: Worker) -> list[pb.Enterprise]:
    metadata = world.identity.token(by.person)
    answer = await world.enterprises.ListEnterprises(pb.ListEnterprisesRequest(), metadata=metadata)
    return list(answer.enterprises)


def moderator(world: World) -> Metadata:
    person = world.identity.join()
    world.identity.staff[str(person.member_id)] = STAFF_RIGHT_MODERATOR
    return world.identity.token(person)


async def suspend(world: World, enterprise_id: str, metadata: Metadata) -> pb.Enterprise:
    request = pb.SuspendEnterpriseRequest(
        enterprise_id=enterprise_id, cause=pb.SUSPENSION_CAUSE_TERMS, reason="Spam."
    )
    return await world.enterprises.SuspendEnterprise(request, metadata=metadata)


async def reinstate(world: World, enterprise_id: str, metadata: Metadata) -> pb.Enterprise:
    request = pb.ReinstateEnterpriseRequest(enterprise_id=enterprise_id, reason="Sorry.")
    return await world.enterprises.ReinstateEnterprise(request, metadata=metadata)


async def close(world: World, by: Worker, slug: str) -> pb.Enterprise:
    request = pb.CloseEnterpriseRequest(enterprise_id=by.enterprise_id, confirm_slug=slug)
    return await world.enterprises.CloseEnterprise(request, metadata=by.metadata)


async def state_changes(world: World, by: Worker) -> list[tuple[int, int, str]]:
    """Answers the record as the owner sees it, page by page, by an account that is not the enterprise's."""
    request = pb.ListStateChangesRequest(enterprise_id=by.enterprise_id, page_size=2)
    found: list[pb.EnterpriseStateChange] = []
    while True:
        answer = await world.enterprises.ListStateChanges(request, metadata=world.identity.token(by.person))
        found += answer.state_changes
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
    by_staff = [
        each for each in found if pb.ENTERPRISE_STATE_SUSPENDED in (each.state_before, each.state_after)
    ]
    assert not any(each.decider_member_id for each in by_staff)
    return [(each.state_after, each.cause, each.reason) for each in found]


async def reopen(world: World, by: Worker) -> pb.Enterprise:
    request = pb.ReopenEnterpriseRequest(enterprise_id=by.enterprise_id)
    return await world.enterprises.ReopenEnterprise(request, metadata=world.identity.token(by.person))


async def test_an_owner_changes_what_the_mask_names_and_nothing_else(world: World) -> None:
    owner = await world.owner()
    before = await get(world, owner)
    assert (before.locale, before.currency, before.state) == ("en", "USD", pb.ENTERPRISE_STATE_ACTIVE)
    changed = await update(
        world, owner, "display_name", "locale", display_name="Trams", locale="pt-PT", time_zone="Asia/Seoul"
    )
    assert (changed.display_name, changed.locale, changed.time_zone) == ("Trams", "pt-PT", "UTC")
    assert changed.etag != before.etag
    assert await get(world, owner) == changed
    assert (await world.subjects(owner))[-1] == "enterprise.updated"
    stale = (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    assert await refused(update(world, owner, "locale", locale="ko", etag=before.etag)) == stale
    await update(world, owner, "time_zone", time_zone="Asia/Seoul", etag=changed.etag)


async def test_settings_change_one_by_one(world: World) -> None:
    owner = await world.owner()
    worker = await world.hire(owner)
    settings = pb.EnterpriseSettings(leaving_needs_dismissal=True)
    changed = await update(world, owner, "settings.leaving_needs_dismissal", settings=settings)
    assert changed.settings == settings
    assert await refused(world.leave(worker)) == (FAILED, "LEAVING_NEEDS_DISMISSAL")
    assert (await update(world, owner, "locale", locale="ko")).settings == settings
    assert not (await update(world, owner, "settings")).settings.leaving_needs_dismissal
    await world.leave(worker)


async def test_what_cannot_be_has_its_own_reason_and_changes_nothing(world: World) -> None:
    owner = await world.owner()
    before = await get(world, owner)
    for path in ("display_name", "slug", "locale"):
        assert await refused(update(world, owner, path)) == (INVALID, "VALUE_MISSING")
    assert (await refused(update(world, owner, "currency", currency="EUR")))[1] == "UPDATE_MASK_INVALID"
    assert (await refused(update(world, owner, "settings.nothing")))[1] == "UPDATE_MASK_INVALID"
    unknown = update(world, owner, "time_zone", time_zone="Asia/Nowhere")
    assert await refused(unknown) == (INVALID, "TIME_ZONE_UNKNOWN")
    manager = await world.hire(owner, TITLE_MANAGER)
    await world.entrust(owner, manager, DUTY_SECURITY)
    assert await refused(update(world, manager, "locale", locale="ko")) == NOT_ADMITTED
    assert await get(world, owner) == before
    request = pb.CreateEnterpriseRequest(display_name="Acme", slug="acme-trams", currency="XYZ")
    created = world.enterprises.CreateEnterprise(request, metadata=world.identity.token(owner.person))
    assert await refused(created) == (INVALID, "CURRENCY_UNKNOWN")


async def test_a_slug_is_changed_and_the_old_one_stays_the_enterprises(world: World) -> None:
    owner, stranger = await world.owner(), await world.owner()
    old = (await get(world, owner)).slug
    await update(world, owner, "slug", slug="trams-of-porto")
    taken = (grpc.StatusCode.ALREADY_EXISTS, "SLUG_TAKEN")
    for slug in (old, "trams-of-porto"):
        assert await refused(update(world, stranger, "slug", slug=slug)) == taken
    assert (await update(world, owner, "slug", slug=old)).slug == old
    for number in range(8):
        await update(world, owner, "slug", slug=f"trams-{number}")
    assert await refused(update(world, owner, "slug", slug="trams-9")) == (FAILED, "SLUGS_EXHAUSTED")


@pytest.mark.parametrize(("image", "kind"), [(PNG, "image/png"), (JPEG, "image/jpeg")])
async def test_a_logo_is_what_its_bytes_say(world: World, image: bytes, kind: str) -> None:
    owner = await world.owner()
    worker = await world.hire(owner)
    set_ = await set_logo(world, owner, image)
    request = pb.GetLogoRequest(enterprise_id=owner.enterprise_id)
    found = await world.enterprises.GetLogo(request, metadata=worker.metadata)
    assert (found.content_type, found.image, found.etag) == (kind, image, set_.logo_etag)
    assert (await set_logo(world, owner, b"")).logo_etag == ""
    assert await world.enterprises.GetLogo(request, metadata=worker.metadata) == pb.Logo()


@pytest.mark.parametrize(
    "image",
    [
        b"<svg onload='alert(1)'/>",
        b"\x89PNG\r\n\x1a\n",
        PNG[:16] + struct.pack(">II", 20_000, 20_000) + PNG[24:],
        JPEG[:4],
        b"\xff\xd8\xff\xe0\x00\x00" + b"\xff" * 40,
    ],
)
async def test_what_is_no_small_image_is_no_logo(world: World, image: bytes) -> None:
    owner = await world.owner()
    assert await refused(set_logo(world, owner, image)) == (INVALID, "LOGO_INVALID")
    assert (await refused(set_logo(world, owner, PNG + b"x" * 65536)))[0] == INVALID
    assert (await get(world, owner)).logo_etag == ""


async def test_in_a_suspended_enterprise_nobody_is_anything_until_it_is_reinstated(world: World) -> None:
    owner = await world.owner()
    team = await world.team(owner)
    staff = moderator(world)
    assert (await suspend(world, owner.enterprise_id, staff)).state == pb.ENTERPRISE_STATE_SUSPENDED
    assert await world.resolve(owner, team) == Access()
    for call in (get(world, owner), world.hire(owner), world.team(owner)):
        assert await refused(call) == NOT_FOUND
    assert [each.state for each in await listed(world, owner)] == [pb.ENTERPRISE_STATE_SUSPENDED]
    assert await refused(reopen(world, owner)) == (FAILED, "ENTERPRISE_SUSPENDED")
    assert await refused(suspend(world, owner.enterprise_id, staff)) == (FAILED, "ENTERPRISE_SUSPENDED")
    shown = await world.enterprises.GetEnterprise(
        pb.GetEnterpriseRequest(enterprise_id=owner.enterprise_id), metadata=staff
    )
    assert shown.state == pb.ENTERPRISE_STATE_SUSPENDED
    await reinstate(world, owner.enterprise_id, staff)
    assert (await world.resolve(owner, team)).title == TITLE_OWNER
    assert await refused(reinstate(world, owner.enterprise_id, staff)) == (FAILED, "ENTERPRISE_ACTIVE")
    told = [each for each in await world.subjects(owner) if each.startswith("enterprise.")]
    assert told == ["enterprise.created", "enterprise.suspended", "enterprise.reinstated"]


async def test_only_staff_suspend_and_only_while_they_are_staff(world: World) -> None:
    owner = await world.owner()
    assert await refused(suspend(world, owner.enterprise_id, owner.metadata)) == NOT_ADMITTED
    person = world.identity.join()
    world.identity.staff[str(person.member_id)] = STAFF_RIGHT_MODERATOR
    metadata = world.identity.token(person)
    await suspend(world, owner.enterprise_id, metadata)
    # The cache still has the right that identity has taken.
    world.identity.staff[str(person.member_id)] = STAFF_RIGHT_UNSPECIFIED
    assert await refused(reinstate(world, owner.enterprise_id, metadata)) == NOT_ADMITTED
    assert await refused(suspend(world, str(world.clock.new_id()), moderator(world))) == NOT_FOUND


async def test_closing_wants_the_slug_and_an_owner_reopens_within_thirty_days(world: World) -> None:
    owner = await world.owner()
    manager = await world.hire(owner, TITLE_MANAGER)
    slug = (await get(world, owner)).slug
    assert await refused(close(world, owner, "acme")) == (INVALID, "CLOSING_NOT_CONFIRMED")
    assert await refused(close(world, manager, slug)) == NOT_ADMITTED
    closed = await close(world, owner, slug)
    assert (closed.state, closed.HasField("close_time")) == (pb.ENTERPRISE_STATE_CLOSED, True)
    assert await world.resolve(owner) == Access()
    assert [each.state for each in await listed(world, manager)] == [pb.ENTERPRISE_STATE_CLOSED]
    stranger = await world.owner()
    outsider = Worker(stranger.person, owner.enterprise_id, "", "", ())
    for other in (manager, outsider):
        assert await refused(reopen(world, other)) == NOT_FOUND
    cast("MovableClock", world.clock).ahead += timedelta(days=29)
    assert (await reopen(world, owner)).state == pb.ENTERPRISE_STATE_ACTIVE
    assert (await world.resolve(owner)).title == TITLE_OWNER
    assert await refused(reopen(world, owner)) == (FAILED, "ENTERPRISE_ACTIVE")
    await close(world, world.renewed(owner), slug)
    cast("MovableClock", world.clock).ahead += timedelta(days=31)
    assert await refused(reopen(world, owner)) == (FAILED, "REOPENING_TOO_LATE")


async def test_every_change_of_state_is_on_record_in_words_that_only_the_key_reads(world: World) -> None:
    owner = await world.owner()
    staff = moderator(world)
    await asyncio.gather(
        *(suspend(world, owner.enterprise_id, staff) for _ in range(3)), return_exceptions=True
    )
    await reinstate(world, owner.enterprise_id, staff)
    async with world.appointing(owner) as tx:
        driver = await tx.driver()
        found = await driver.execute(
            "SELECT state_before, state_after, cause, note FROM wrtn_enterprise_states ORDER BY create_time"
        )
        rows = await found.fetchall()
    assert [row[:3] for row in rows] == [(1, 2, pb.SUSPENSION_CAUSE_TERMS), (2, 1, 0)]
    assert all(b"Spam" not in row[3] for row in rows)


async def test_owners_read_why_they_were_suspended_and_staff_read_by_whom_as_well(world: World) -> None:
    owner = await world.owner()
    manager, stranger = await world.hire(owner, TITLE_MANAGER), await world.owner()
    staff = moderator(world)
    slug = (await get(world, owner)).slug
    await suspend(world, owner.enterprise_id, staff)
    assert await state_changes(world, owner) == [
        (pb.ENTERPRISE_STATE_SUSPENDED, pb.SUSPENSION_CAUSE_TERMS, "")
    ]
    await reinstate(world, owner.enterprise_id, staff)
    request = pb.CloseEnterpriseRequest(
        enterprise_id=owner.enterprise_id, confirm_slug=slug, reason="Bought by Trams."
    )
    await world.enterprises.CloseEnterprise(request, metadata=owner.metadata)
    assert await state_changes(world, owner) == [
        (pb.ENTERPRISE_STATE_CLOSED, 0, "Bought by Trams."),
        (pb.ENTERPRISE_STATE_ACTIVE, 0, ""),
        (SUSPENDED, pb.SUSPENSION_CAUSE_TERMS, ""),
    ]
    wanted = pb.ListStateChangesRequest(enterprise_id=owner.enterprise_id)
    whole = (await world.enterprises.ListStateChanges(wanted, metadata=staff)).state_changes
    assert [each.reason for each in whole] == ["Bought by Trams.", "Sorry.", "Spam."]
    assert whole[0].decider_member_id == str(owner.person.member_id)
    assert all(each.decider_member_id for each in whole)
    looked = "SELECT tenant_id::text FROM wrtn_audit_entries WHERE action = 'enterprise.state_changes_read'"
    assert (owner.enterprise_id,) in await world.rows(looked)
    for other in (manager, stranger):
        outside = world.identity.token(other.person)
        assert await refused(world.enterprises.ListStateChanges(wanted, metadata=outside)) == NOT_FOUND
