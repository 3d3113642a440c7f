"""Staff find enterprises across tenants, on record."""

from __future__ import annotations

import grpc
import pytest

from chassis.audit.acts import PLATFORM
from chassis.auth import api_keys
from chassis.database import Scope
from tests.enterprise.identity import Metadata, Person
from tests.enterprise.make import World, refused
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_MODERATOR, STAFF_RIGHT_UNSPECIFIED
from wrtn.audit.v1.audit_pb2 import AuditEntry
from wrtn.enterprise.v1 import enterprises_pb2 as pb
from wrtn.identity.v1.principals_pb2 import Principal

NOT_ADMITTED = (grpc.StatusCode.PERMISSION_DENIED, "NOT_ADMITTED")
FORGED = (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")


def moderator(world: World) -> Person:
    """Makes a moderator who has signed in."""
    person = world.identity.join()
    world.identity.staff[str(person.member_id)] = STAFF_RIGHT_MODERATOR
    return person


async def search(
    world: World,
    metadata: Metadata,
    *,
    slug: str = "",
    state: pb.EnterpriseState.ValueType = pb.ENTERPRISE_STATE_UNSPECIFIED,
    page_size: int = 0,
    page_token: str = "",
) -> pb.SearchEnterprisesResponse:
    """Searches enterprises."""
    request = pb.SearchEnterprisesRequest(slug=slug, state=state, page_size=page_size, page_token=page_token)
    return await world.enterprises.SearchEnterprises(request, metadata=metadata)


def ids(found: pb.SearchEnterprisesResponse) -> list[str]:
    """Answers the ids of the enterprises that were found, in their order."""
    return [each.id for each in found.enterprises]


async def searches(world: World, person: Person) -> list[AuditEntry]:
    """Answers the audit entries of the member's searches."""
    found = await world.audited(str(PLATFORM), "enterprises.searched")
    return [each for each in found if each.actor.member_id == str(person.member_id)]


@pytest.mark.fresh
async def test_a_moderator_sees_all_enterprises_page_by_page_the_newest_first(world: World) -> None:
    older, newer = await world.owner(), await world.owner()
    staff = world.identity.token(moderator(world))
    first = await search(world, staff, page_size=1)
    second = await search(world, staff, page_size=1, page_token=first.next_page_token)
    assert ids(first) + ids(second) == [newer.enterprise_id, older.enterprise_id]
    assert second.next_page_token == ""
    shown = await world.enterprises.GetEnterprise(
        pb.GetEnterpriseRequest(enterprise_id=newer.enterprise_id), metadata=newer.metadata
    )
    assert first.enterprises[0] == shown
    other = search(world, staff, slug="acme", page_token=first.next_page_token)
    assert await refused(other) == FORGED


async def test_that_staff_looked_at_an_enterprise_is_audited_there_and_past_staff_see_none(
    world: World,
) -> None:
    owner, person = await world.owner(), moderator(world)
    staff = world.identity.token(person)
    request = pb.GetEnterpriseRequest(enterprise_id=owner.enterprise_id)
    await world.enterprises.GetEnterprise(request, metadata=owner.metadata)
    await world.enterprises.GetEnterprise(request, metadata=staff)
    (entry,) = await world.audited(owner.enterprise_id, "enterprise.read")
    assert (entry.tenant_id, entry.actor.member_id) == (owner.enterprise_id, str(person.member_id))
    world.identity.staff[str(person.member_id)] = STAFF_RIGHT_UNSPECIFIED
    assert await refused(world.enterprises.GetEnterprise(request, metadata=staff)) == NOT_ADMITTED


async def test_enterprises_are_found_by_the_very_slug_and_by_state(world: World) -> None:
    one, other = await world.owner(), await world.owner()
    staff = world.identity.token(moderator(world))
    slug = next(
        each.slug for each in (await search(world, staff)).enterprises if each.id == one.enterprise_id
    )
    assert ids(await search(world, staff, slug=slug)) == [one.enterprise_id]
    assert ids(await search(world, staff, slug=slug[:-1])) == []
    suspend = pb.SuspendEnterpriseRequest(
        enterprise_id=one.enterprise_id, cause=pb.SUSPENSION_CAUSE_TERMS, reason="Spam."
    )
    await world.enterprises.SuspendEnterprise(suspend, metadata=staff)
    for state, newest in (
        (pb.ENTERPRISE_STATE_SUSPENDED, one.enterprise_id),
        (pb.ENTERPRISE_STATE_ACTIVE, other.enterprise_id),
    ):
        found = await search(world, staff, state=state)
        assert ids(found)[0] == newest
        assert {each.state for each in found.enterprises} == {state}
    assert ids(await search(world, staff, slug=slug, state=pb.ENTERPRISE_STATE_ACTIVE)) == []


async def test_nobody_but_staff_searches_and_only_while_they_are_staff(world: World) -> None:
    owner = await world.owner()
    stranger = world.identity.token(world.identity.join())
    for metadata in (owner.metadata, stranger):
        assert await refused(search(world, metadata)) == NOT_ADMITTED
    person = moderator(world)
    staff = world.identity.token(person)
    await search(world, staff)
    # The cache still has the right that identity has taken.
    world.identity.staff[str(person.member_id)] = STAFF_RIGHT_UNSPECIFIED
    assert await refused(search(world, staff)) == NOT_ADMITTED
    assert len(await searches(world, person)) == 1, "who is refused has searched nothing"


async def test_an_api_key_does_not_search_although_its_member_is_staff(world: World) -> None:
    person = moderator(world)
    text = api_keys.of_member(person.member_id, world.clock)
    parsed = api_keys.parsed(text)
    assert parsed is not None
    world.identity.keys[parsed.key_hash] = Principal(
        active=True,
        tenant_id=str(person.account_id),
        account_id=str(person.account_id),
        api_key_id=str(person.login_id),
        scopes=["read", "write"],
        staff_right=STAFF_RIGHT_MODERATOR,
    )
    assert await refused(search(world, (("authorization", f"Bearer {text}"),))) == NOT_ADMITTED
    await search(world, world.identity.token(person))


async def test_a_search_is_audited_as_the_moderators(world: World) -> None:
    await world.owner()
    person = moderator(world)
    await search(world, world.identity.token(person), slug="some-slug")
    (entry,) = await searches(world, person)
    assert entry.tenant_id == str(PLATFORM)


async def test_the_platform_reads_enterprises_and_changes_none_and_sees_nothing_else_of_them(
    world: World,
) -> None:
    owner = await world.owner()
    async with world.database.app.transaction(Scope.of(PLATFORM)) as tx:
        driver = await tx.driver()
        seen = await driver.execute(b"SELECT tenant_id::text FROM wrtn_enterprises")
        assert (owner.enterprise_id,) in await seen.fetchall()
        for table in (b"wrtn_slugs", b"wrtn_employees", b"wrtn_appointments", b"wrtn_logos"):
            assert await (await driver.execute(b"SELECT * FROM " + table)).fetchall() == []
        changed = await driver.execute(b"UPDATE wrtn_enterprises SET display_name = 'Ours'")
        assert changed.rowcount == 0
