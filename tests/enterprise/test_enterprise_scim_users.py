"""What directories do by SCIM: users are employees."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from chassis.database import Scope
from tests.enterprise.make import World
from tests.enterprise.scim import (
    ENTERPRISE_USER,
    USER,
    Directory,
    employee,
    refusal,
    user,
)
from wrtn.access.v1.access_pb2 import (
    TITLE_MANAGER,
    TITLE_MEMBER,
    TITLE_OWNER,
    TITLE_UNSPECIFIED,
)


async def test_a_user_employs_who_owns_the_address_or_makes_a_member_and_the_key_is_on_record(
    directory: Directory,
) -> None:
    world = directory.world
    known = world.identity.join()
    world.identity.addresses[str(known.member_id)] = ["Mina@acme.example"]
    mina = await directory.user("mina")
    assert (await employee(directory, mina["id"])).member_id == str(known.member_id)
    other = await directory.user("other")
    made = await employee(directory, other["id"])
    assert world.identity.addresses[made.member_id] == ["other@acme.example"]
    assert (made.title, made.account_id in world.identity.opened) == (TITLE_MEMBER, True)
    record = (await world.records(directory.owner))[0]
    assert (record.employee_id, record.title_after, record.reason) == (other["id"], TITLE_MEMBER, "SCIM")
    assert record.decider_employee_id == ""
    assert record.decider_credential_id
    assert (await world.subjects(directory.owner)).count("employee.hired") == 3
    assert len(await world.audited(directory.owner.enterprise_id)) >= 4


async def test_what_is_said_of_users_is_stored_encrypted(directory: Directory, world: World) -> None:
    await directory.user("mina", displayName="Mina Park", externalId="ext-1")
    async with world.database.app.snapshot(world_scope(directory)) as tx:
        rows = await (await (await tx.driver()).execute("SELECT t::text FROM wrtn_scim_users t")).fetchall()
    assert len(rows) == 1
    for secret in ("mina", "Mina", "ext-1", b"mina".hex(), b"Mina Park".hex()):
        assert secret not in rows[0][0]


async def test_only_addresses_of_verified_domains_are_provisioned(directory: Directory) -> None:
    before = dict(directory.world.identity.addresses)
    response = await directory.call(
        "POST", "/Users", user("x", userName="x@evil.example", emails=[{"value": "x@evil.example"}])
    )
    assert refusal(response) == (400, "invalidValue")
    assert directory.world.identity.addresses == before
    mina = await directory.user()
    changed = await directory.patch(
        f"/Users/{mina['id']}",
        {"op": "replace", "path": 'emails[type eq "work"].value', "value": "x@evil.example"},
    )
    assert refusal(changed) == (400, "invalidValue")
    response = await directory.call("POST", "/Users", user("x", userName="plain", emails=[]))
    assert refusal(response) == (400, "invalidValue")


async def test_a_second_user_of_one_name_is_a_conflict_also_at_the_same_moment(directory: Directory) -> None:
    answers = await asyncio.gather(
        *(directory.call("POST", "/Users", user("mina", externalId=str(each))) for each in range(5))
    )
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409, 409]
    assert {refusal(each) for each in answers if each.status_code == 409} == {(409, "uniqueness")}
    assert (await directory.world.subjects(directory.owner)).count("employee.hired") == 2
    shouted = user("mina") | {"userName": "MINA@ACME.EXAMPLE"}
    assert refusal(await directory.call("POST", "/Users", shouted)) == (409, "uniqueness")
    other = await directory.user("other")
    renamed = await directory.patch(
        f"/Users/{other['id']}", {"op": "replace", "path": "userName", "value": "mina@acme.example"}
    )
    assert refusal(renamed) == (409, "uniqueness")


@pytest.mark.parametrize("off", ["False", "false", False])
async def test_entra_switches_a_user_off_and_on_again(directory: Directory, off: object) -> None:
    mina = await directory.user()
    path = f"/Users/{mina['id']}"
    response = await directory.patch(path, {"op": "Replace", "path": "active", "value": off})
    assert (response.status_code, response.json()["active"]) == (200, False)
    assert (await employee(directory, mina["id"])).title == TITLE_UNSPECIFIED
    record = (await directory.world.records(directory.owner))[0]
    assert (record.title_before, record.title_after) == (TITLE_MEMBER, TITLE_UNSPECIFIED)
    assert (record.decider_employee_id, bool(record.decider_credential_id)) == ("", True)
    again = await directory.patch(path, {"op": "Replace", "path": "active", "value": off})
    assert again.status_code == 200
    assert len(await directory.world.records(directory.owner)) == 3
    response = await directory.patch(path, {"op": "Replace", "path": "active", "value": "True"})
    assert response.json()["active"] is True
    assert (await employee(directory, mina["id"])).title == TITLE_MEMBER
    told = await directory.world.subjects(directory.owner)
    assert (told.count("employee.dismissed"), told.count("employee.hired")) == (1, 3)


async def test_a_user_who_begins_inactive_is_on_record_as_dismissed(directory: Directory) -> None:
    mina = await directory.user(active=False)
    assert mina["active"] is False
    assert (await employee(directory, mina["id"])).title == TITLE_UNSPECIFIED


async def test_a_member_who_is_not_active_is_not_employed(directory: Directory) -> None:
    suspended = directory.world.identity.join()
    directory.world.identity.addresses[str(suspended.member_id)] = ["mina@acme.example"]
    directory.world.identity.active.remove(str(suspended.member_id))
    assert refusal(await directory.call("POST", "/Users", user())) == (400, "mutability")


async def test_the_last_owner_is_not_switched_off_and_titles_given_by_people_stay(
    directory: Directory,
) -> None:
    world, owner = directory.world, directory.owner
    world.identity.addresses[str(owner.person.member_id)] = ["boss@acme.example"]
    boss = await directory.user("boss")
    assert boss["id"] == owner.employee_id
    assert (await employee(directory, boss["id"])).title == TITLE_OWNER
    path = f"/Users/{boss['id']}"
    for response in (
        await directory.patch(path, {"op": "replace", "value": {"active": False}}),
        await directory.call("PUT", path, user("boss", active=False)),
        await directory.call("DELETE", path),
    ):
        assert refusal(response) == (400, "mutability")
        assert "owner" in response.json()["detail"]
    assert (await employee(directory, boss["id"])).title == TITLE_OWNER
    mina = await directory.user()
    worker = world.worker(owner.person, owner.enterprise_id, mina["id"], "0" * 32)
    await world.promote(owner, worker, TITLE_MANAGER)
    assert (await directory.call("PUT", f"/Users/{mina['id']}", user(displayName="M"))).status_code == 200
    assert (await employee(directory, mina["id"])).title == TITLE_MANAGER


async def test_entra_changes_a_user_as_its_documentation_shows(directory: Directory) -> None:
    mina = await directory.user()
    response = await directory.patch(
        f"/Users/{mina['id']}",
        {"op": "Add", "path": "name.givenName", "value": "Mina"},
        {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "mina.park@acme.example"},
        {"op": "Add", "path": 'phoneNumbers[type eq "mobile"].value', "value": "+8210"},
        {"op": "Add", "path": f"{ENTERPRISE_USER}:department", "value": "Sales"},
        {"op": "Add", "path": f"{ENTERPRISE_USER}:manager", "value": "26118915"},
        {"op": "Replace", "value": {"name.familyName": "Park", "displayName": "Mina Park"}},
        {"op": "Add", "path": "urn:acme:2.0:User:tag", "value": "x"},
    )
    assert response.status_code == 200, response.text
    now = response.json()
    assert now["name"] == {"givenName": "Mina", "familyName": "Park"}
    assert now["emails"][0]["value"] == "mina.park@acme.example"
    assert now["phoneNumbers"] == [{"type": "mobile", "value": "+8210"}]
    assert now[ENTERPRISE_USER] == {"department": "Sales", "manager": {"value": "26118915"}}
    assert now["displayName"] == "Mina Park"
    removed = await directory.patch(f"/Users/{mina['id']}", {"op": "Remove", "path": "name.givenName"})
    assert removed.json()["name"] == {"familyName": "Park"}


async def test_okta_replaces_a_user_and_switches_them_off(directory: Directory) -> None:
    mina = await directory.user(externalId="00u1", name={"givenName": "Mina", "familyName": "Park"})
    path = f"/Users/{mina['id']}"
    body = {
        "schemas": [USER],
        "id": mina["id"],
        "userName": "mina@acme.example",
        "name": {"givenName": "Another", "familyName": "Park"},
        "emails": [{"primary": True, "value": "mina@acme.example", "type": "work"}],
        "locale": "en-US",
        "externalId": "00u1",
        "groups": [],
        "password": "1mz050nq",
        "active": True,
    }
    replaced = (await directory.call("PUT", path, body)).json()
    assert (replaced["name"]["givenName"], "password" in replaced) == ("Another", False)
    off = await directory.patch(path, {"op": "replace", "value": {"active": False}})
    assert off.json()["active"] is False


def world_scope(directory: Directory) -> Scope:
    return Scope.of(UUID(directory.owner.enterprise_id))
