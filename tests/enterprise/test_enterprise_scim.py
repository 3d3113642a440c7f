"""What directories do by SCIM: users are employees, groups are teams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from scim2_client.engines.asgi import ASGISCIMClient

from chassis.database import Scope
from chassis.testing.names import NameServer
from tests.enterprise import scim
from tests.enterprise.make import World
from tests.enterprise.scim import ENTERPRISE_USER, GROUP, PATCH, USER, Directory, refusal, user
from wrtn.access.v1.access_pb2 import (
    ROLE_CHIEF,
    ROLE_MEMBER,
    TITLE_MANAGER,
    TITLE_MEMBER,
    TITLE_OWNER,
    TITLE_UNSPECIFIED,
)
from wrtn.enterprise.v1.employees_pb2 import Employee, GetEmployeeRequest
from wrtn.enterprise.v1.enterprises_pb2 import CloseEnterpriseRequest, GetEnterpriseRequest
from wrtn.enterprise.v1.history_pb2 import ListTeamChangesRequest
from wrtn.enterprise.v1.teams_pb2 import GetTeamRequest, ListCompanionsRequest

FOUND = [
    ('userName eq "MINA@acme.example"', ["mina"]),
    ('externalId eq "e-mina"', ["mina"]),
    ('externalId eq "E-MINA"', []),
    ('displayName eq "mina p"', ["mina"]),
    ('emails[type eq "work"].value eq "mina@acme.example"', ["mina"]),
    ('emails[type eq "home"].value eq "mina@acme.example"', []),
    ('emails.value eq "mina@acme.example"', ["mina"]),
    ("active eq true", ["mina", "noah"]),
    ('active eq "False"', ["zoe"]),
    ('userName eq "mina@acme.example" or userName eq "zoe@acme.example"', ["mina", "zoe"]),
    ('active eq true and (externalId eq "e-noah" or externalId eq "e-zoe")', ["noah"]),
    ('urn:ietf:params:scim:schemas:core:2.0:User:userName eq "zoe@acme.example"', ["zoe"]),
    ('id eq "nonsense"', []),
]
REFUSED = [
    "userName",
    "userName eq",
    'userName sw "a"',
    'not (userName eq "a")',
    "userName pr",
    'nickName eq "a"',
    'emails[type eq "work" or value eq "a"]',
    "active eq 7",
    'active eq "maybe"',
    "(" * 30 + 'userName eq "a"' + ")" * 30,
    'userName eq "a" and',
    "';--",
]
MALFORMED: list[tuple[bytes, tuple[int, str | None]]] = [
    (b"{", (400, "invalidSyntax")),
    (b"[]", (400, "invalidSyntax")),
    (b"[" * 100_000, (400, "invalidSyntax")),
    (b"{}", (400, None)),
    (b'{"schemas":["%s"],"userName":7}' % USER.encode(), (400, None)),
    (b'{"userName":"' + b"x" * 1024 * 1024 + b'"}', (413, None)),
    (b"\xff\xfe", (400, "invalidSyntax")),
]


@pytest_asyncio.fixture
async def directory(world: World, name_server: NameServer) -> AsyncIterator[Directory]:
    """A directory with a key of an enterprise that has proven its domain."""
    owner = await world.owner()
    await scim.prove(world, owner, name_server)
    key = world.identity.enterprise_key(owner.enterprise_id, "scim.provision")
    async with scim.gateway(world) as app, scim.calling(app, key) as http:
        yield Directory(world, owner, app, http, key)


async def employee(directory: Directory, employee_id: str) -> Employee:
    request = GetEmployeeRequest(enterprise_id=directory.owner.enterprise_id, employee_id=employee_id)
    return await directory.world.employees.GetEmployee(request, metadata=directory.owner.metadata)


async def roles(directory: Directory, team_id: str) -> dict[str, int]:
    request = ListCompanionsRequest(enterprise_id=directory.owner.enterprise_id, team_id=team_id)
    found = await directory.world.teams.ListCompanions(request, metadata=directory.owner.metadata)
    return {each.employee_id: each.role for each in found.companions}


async def test_an_independent_client_provisions_users_and_groups(directory: Directory) -> None:
    client: Any = ASGISCIMClient(
        directory.app,
        base_url="http://gateway/scim/v2",
        headers={"authorization": f"Bearer {directory.key}"},
    )
    await client.discover()
    mina = await client.create(client.get_resource_model("User").model_validate(user("mina", externalId="7")))
    assert mina.id
    assert mina.meta.version
    assert mina.active
    found = await client.query(type(mina), query_parameters={"filter": 'externalId eq "7"'})
    assert [each.id for each in found.resources] == [mina.id]
    mina.display_name = "Mina"
    mina = await client.replace(mina)
    assert mina.display_name == "Mina"
    group_model = client.get_resource_model("Group")
    made = await client.create(
        group_model.model_validate({"displayName": "Sales", "members": [{"value": mina.id}]})
    )
    assert [each.value for each in made.members] == [mina.id]
    assert await roles(directory, made.id) == {mina.id: ROLE_MEMBER}
    await client.delete(type(made), made.id)
    await client.delete(type(mina), mina.id)
    assert (await employee(directory, mina.id)).title == TITLE_UNSPECIFIED
    assert await directory.find('externalId eq "7"') == []


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
    assert (await world.subjects()).count("employee.hired") == 3
    audited = await world.rows(
        "SELECT subject FROM wrtn_outbox WHERE subject LIKE '%%.audit.recorded' ORDER BY id"
    )
    assert len(audited) >= 4


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
    assert (await directory.world.subjects()).count("employee.hired") == 2
    shouted = user("mina") | {"userName": "MINA@ACME.EXAMPLE"}
    assert refusal(await directory.call("POST", "/Users", shouted)) == (409, "uniqueness")
    other = await directory.user("other")
    renamed = await directory.patch(
        f"/Users/{other['id']}", {"op": "replace", "path": "userName", "value": "mina@acme.example"}
    )
    assert refusal(renamed) == (409, "uniqueness")


async def test_a_repeated_creation_with_an_idempotency_key_is_answered_again(directory: Directory) -> None:
    first = await directory.call("POST", "/Users", user(), {"idempotency-key": "k1"})
    again = await directory.call("POST", "/Users", user(), {"idempotency-key": "k1"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()


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
    told = await directory.world.subjects()
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


async def test_filters_find_users(directory: Directory) -> None:
    for name, on in (("mina", True), ("noah", True), ("zoe", False)):
        await directory.user(name, externalId=f"e-{name}", displayName=f"{name} P", active=on)
    for text, names in FOUND:
        found = await directory.find(text)
        assert [each["userName"].partition("@")[0] for each in found] == names, text


async def test_a_filter_malformed_or_not_supported_is_refused(directory: Directory) -> None:
    for text in REFUSED:
        response = await directory.http.get("/scim/v2/Users", params={"filter": text})
        assert refusal(response) == (400, "invalidFilter"), text


async def test_pages_begin_where_they_are_asked_to_and_sorting_is_refused(directory: Directory) -> None:
    for each in range(5):
        await directory.user(f"u{each}")

    async def page(**params: int) -> tuple[int, int, int, list[str]]:
        answer = (await directory.http.get("/scim/v2/Users", params=params)).json()
        names = [each["userName"].partition("@")[0] for each in answer["Resources"]]
        return answer["totalResults"], answer["startIndex"], answer["itemsPerPage"], names

    assert await page(startIndex=2, count=2) == (5, 2, 2, ["u1", "u2"])
    assert await page(startIndex=0, count=1) == (5, 1, 1, ["u0"])
    assert await page(count=0) == (5, 1, 0, [])
    assert await page(startIndex=99) == (5, 99, 0, [])
    refused = await directory.http.get("/scim/v2/Users", params={"sortBy": "userName"})
    assert refusal(refused) == (400, "invalidValue")


async def test_attributes_are_chosen(directory: Directory) -> None:
    mina = await directory.user(displayName="Mina")
    path = f"/scim/v2/Users/{mina['id']}"
    chosen = (await directory.http.get(path, params={"attributes": "userName"})).json()
    assert {"displayName", "emails"}.isdisjoint(chosen)
    assert chosen["userName"] == mina["userName"]
    without = (await directory.http.get(path, params={"excludedAttributes": "emails"})).json()
    assert "emails" not in without
    assert without["displayName"] == "Mina"
    group = await directory.group("Sales", mina)
    shown = await directory.http.get(f"/scim/v2/Groups/{group['id']}?excludedAttributes=members")
    assert "members" not in shown.json()


async def test_a_stale_version_is_refused_and_a_fresh_one_is_not(directory: Directory) -> None:
    mina = await directory.user()
    path, version = f"/Users/{mina['id']}", mina["meta"]["version"]
    got = await directory.call("GET", path)
    assert got.headers["etag"] == version
    change = {"op": "replace", "path": "displayName", "value": "Mina"}
    headers = {"if-match": version}
    body = {"schemas": [PATCH], "Operations": [change]}
    fresh = await directory.call("PATCH", path, body, headers)
    assert fresh.status_code == 200
    assert fresh.json()["meta"]["version"] != version
    for stale in (
        await directory.call("PATCH", path, body, headers),
        await directory.call("PUT", path, user(), headers),
        await directory.call("DELETE", path, None, headers),
    ):
        assert refusal(stale) == (412, None)
    assert (await directory.call("DELETE", path, None, {"if-match": "*"})).status_code == 204


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


async def test_operations_that_fail_half_way_change_nothing(directory: Directory) -> None:
    mina = await directory.user()
    path = f"/Users/{mina['id']}"
    for last, scim_type in (
        ({"op": "replace", "path": "emails[", "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": "active", "value": "perhaps"}, "invalidValue"),
        ({"op": "remove"}, "noTarget"),
        ({"op": "replace", "path": "id", "value": "other"}, "mutability"),
        ({"op": "remove", "path": "userName"}, "mutability"),
    ):
        response = await directory.patch(path, {"op": "replace", "path": "active", "value": False}, last)
        status, found = refusal(response)
        assert (status, found in (scim_type, "invalidValue")) == (400, True), (last, found)
    assert (await directory.call("GET", path)).json() == mina
    assert (await employee(directory, mina["id"])).title == TITLE_MEMBER
    assert len(await directory.world.records(directory.owner)) == 2


async def test_a_group_is_a_team_whose_members_come_and_go(directory: Directory) -> None:
    mina, noah, zoe = [await directory.user(name) for name in ("mina", "noah", "zoe")]
    group = await directory.group("Sales", mina, externalId="g-1")
    team_id = group["id"]
    path = f"/Groups/{team_id}"
    assert await roles(directory, team_id) == {mina["id"]: ROLE_MEMBER}
    members = [{"value": noah["id"]}, {"value": zoe["id"]}]
    added = await directory.patch(path, {"op": "Add", "path": "members", "value": members})
    assert added.status_code == 200
    assert await roles(directory, team_id) == dict.fromkeys((mina["id"], noah["id"], zoe["id"]), ROLE_MEMBER)
    await directory.patch(path, {"op": "Remove", "path": "members", "value": [{"value": noah["id"]}]})
    await directory.patch(path, {"op": "remove", "path": f'members[value eq "{zoe["id"]}"]'})
    assert await roles(directory, team_id) == {mina["id"]: ROLE_MEMBER}
    renamed = await directory.patch(
        path, {"op": "replace", "value": {"id": team_id, "displayName": "Sales EMEA"}}
    )
    assert renamed.json()["displayName"] == "Sales EMEA"
    replaced = await directory.call(
        "PUT", path, {"schemas": [GROUP], "displayName": "Sales", "members": [{"value": zoe["id"]}]}
    )
    assert [each["value"] for each in replaced.json()["members"]] == [zoe["id"]]
    request = ListTeamChangesRequest(enterprise_id=directory.owner.enterprise_id, team_id=team_id)
    changes = await directory.world.history.ListTeamChanges(request, metadata=directory.owner.metadata)
    assert {each.decider_employee_id for each in changes.team_changes} == {""}
    assert all(each.decider_credential_id for each in changes.team_changes)
    assert (await directory.find('displayName eq "SALES"', "Groups"))[0]["id"] == team_id
    assert (await directory.call("DELETE", path)).status_code == 204
    team = GetTeamRequest(enterprise_id=directory.owner.enterprise_id, team_id=team_id)
    assert (await directory.world.teams.GetTeam(team, metadata=directory.owner.metadata)).HasField(
        "archive_time"
    )
    assert refusal(await directory.call("GET", path)) == (404, None)
    assert await directory.find('displayName eq "Sales"', "Groups") == []


async def test_a_chief_stays_chief_until_the_directory_takes_them_out(directory: Directory) -> None:
    mina, noah = await directory.user("mina"), await directory.user("noah")
    group = await directory.group("Sales", mina)
    world, owner = directory.world, directory.owner
    chief = world.worker(owner.person, owner.enterprise_id, mina["id"], "0" * 32)
    await world.appoint(owner, group["id"], chief, ROLE_CHIEF)
    stranger = await world.hire(owner)
    await world.appoint(owner, group["id"], stranger, ROLE_MEMBER)
    path = f"/Groups/{group['id']}"
    both = [{"value": mina["id"]}, {"value": noah["id"]}]
    await directory.patch(path, {"op": "replace", "path": "members", "value": both})
    expected = {mina["id"]: ROLE_CHIEF, noah["id"]: ROLE_MEMBER, stranger.employee_id: ROLE_MEMBER}
    assert await roles(directory, group["id"]) == expected
    emptied = await directory.patch(path, {"op": "remove", "path": "members"})
    assert "members" not in emptied.json()
    assert await roles(directory, group["id"]) == {stranger.employee_id: ROLE_MEMBER}


async def test_groups_take_users_alone(directory: Directory) -> None:
    mina = await directory.user()
    group, off = await directory.group("Sales", mina), await directory.user("off", active=False)
    path = f"/Groups/{group['id']}"
    for value in (group["id"], directory.owner.employee_id, "nonsense"):
        response = await directory.patch(path, {"op": "add", "path": "members", "value": [{"value": value}]})
        assert refusal(response) == (400, "invalidValue")
    nested = [{"value": group["id"], "type": "Group"}]
    response = await directory.call(
        "POST", "/Groups", {"schemas": [GROUP], "displayName": "All", "members": nested}
    )
    assert refusal(response) == (400, "invalidValue")
    left_out = await directory.patch(path, {"op": "add", "path": "members", "value": [{"value": off["id"]}]})
    assert [each["value"] for each in left_out.json()["members"]] == [mina["id"]]
    assert len(await directory.world.children(directory.owner)) == 1


async def test_an_external_id_is_one_groups(directory: Directory) -> None:
    await directory.group("One", externalId="g")
    body = {"schemas": [GROUP], "displayName": "Two", "externalId": "g"}
    assert refusal(await directory.call("POST", "/Groups", body)) == (409, "uniqueness")
    other = await directory.group("Three")
    renamed = await directory.patch(
        f"/Groups/{other['id']}", {"op": "replace", "path": "externalId", "value": "g"}
    )
    assert refusal(renamed) == (409, "uniqueness")
    assert len(await directory.world.children(directory.owner)) == 2


async def test_teams_and_employees_that_people_made_are_out_of_sight(directory: Directory) -> None:
    hired = await directory.world.hire(directory.owner)
    team_id = await directory.world.team(directory.owner)
    assert await directory.find("active eq true") == []
    for path in (f"/Users/{hired.employee_id}", f"/Groups/{team_id}", "/Users/nonsense"):
        assert refusal(await directory.call("GET", path)) == (404, None)
        assert refusal(await directory.call("DELETE", path)) == (404, None)
    assert (await employee(directory, hired.employee_id)).title == TITLE_MEMBER


async def test_a_group_takes_over_the_one_team_of_its_name_with_all_who_are_in_it(
    directory: Directory,
) -> None:
    world, owner = directory.world, directory.owner
    hired, team_id = await world.hire(owner), await world.team(owner)
    await world.appoint(owner, team_id, hired, ROLE_CHIEF)
    below = await world.team(owner, team_id)
    mina, noah = await directory.user("mina"), await directory.user("noah")
    known = world.worker(owner.person, owner.enterprise_id, noah["id"], "0" * 32)
    await world.appoint(owner, team_id, known, ROLE_CHIEF)
    group = await directory.group("TEAM", mina, noah, externalId="g-1")
    assert (group["id"], group["displayName"]) == (team_id, "Team")
    expected = {hired.employee_id: ROLE_CHIEF, mina["id"]: ROLE_MEMBER, noah["id"]: ROLE_CHIEF}
    assert await roles(directory, team_id) == expected
    assert (await directory.find('externalId eq "g-1"', "Groups"))[0]["id"] == team_id
    # It is a group now, so the next one of this name is another team; nor is a team further down at the top.
    other = await directory.group("Team")
    assert other["id"] not in (team_id, below)
    path = f"/Groups/{team_id}"
    assert refusal(await directory.call("DELETE", path)) == (400, "mutability")
    assert (await directory.call("GET", path)).status_code == 200
    await world.archive(owner, below)
    assert (await directory.call("DELETE", path)).status_code == 204
    assert await world.children(owner) == [other["id"]]


async def test_a_name_that_several_teams_have_is_no_groups(directory: Directory) -> None:
    made = [await directory.world.team(directory.owner) for _ in range(2)]
    body = {"schemas": [GROUP], "displayName": "Team"}
    assert refusal(await directory.call("POST", "/Groups", body)) == (409, "uniqueness")
    assert await directory.world.children(directory.owner) == made
    assert await directory.find('displayName eq "Team"', "Groups") == []


async def test_another_enterprises_key_sees_and_changes_nothing_here(
    directory: Directory, name_server: NameServer
) -> None:
    mina, world = await directory.user(), directory.world
    group = await directory.group("Sales", mina)
    foreign = await world.owner()
    await scim.prove(world, foreign, name_server, "other.example")
    key = world.identity.enterprise_key(foreign.enterprise_id, "scim.provision")
    async with scim.calling(directory.app, key) as http:
        other = Directory(world, foreign, directory.app, http, key)
        assert await other.find('userName eq "mina@acme.example"') == []
        for path in (f"/Users/{mina['id']}", f"/Groups/{group['id']}"):
            assert refusal(await other.call("GET", path)) == (404, None)
            assert refusal(await other.patch(path, {"op": "remove", "path": "externalId"})) == (404, None)
        assert refusal(await other.call("POST", "/Users", user())) == (400, "invalidValue")


async def test_without_the_scope_nobody_provisions(directory: Directory) -> None:
    enterprise_id = directory.owner.enterprise_id
    for key, status in (
        (directory.world.identity.enterprise_key(enterprise_id, "sessions.record"), 403),
        (directory.owner.metadata[0][1].removeprefix("Bearer "), 403),
        ("nonsense", 401),
        ("", 401),
    ):
        async with scim.calling(directory.app, key) as http:
            assert (await http.get("/scim/v2/Users")).status_code == status


async def test_a_closed_enterprise_provisions_nobody(directory: Directory) -> None:
    mina, world, owner = await directory.user(), directory.world, directory.owner
    known = await world.enterprises.GetEnterprise(
        GetEnterpriseRequest(enterprise_id=owner.enterprise_id), metadata=owner.metadata
    )
    closing = CloseEnterpriseRequest(enterprise_id=owner.enterprise_id, confirm_slug=known.slug)
    await world.enterprises.CloseEnterprise(closing, metadata=owner.metadata)
    for response in (
        await directory.call("GET", "/Users"),
        await directory.call("GET", f"/Users/{mina['id']}"),
        await directory.call("POST", "/Users", user("noah")),
        await directory.patch(f"/Users/{mina['id']}", {"op": "replace", "path": "active", "value": False}),
    ):
        assert refusal(response)[0] == 400


async def test_a_document_that_is_malformed_or_too_large_is_refused(directory: Directory) -> None:
    for body, expected in MALFORMED:
        response = await directory.http.post("/scim/v2/Users", content=body)
        status, scim_type = refusal(response)
        assert status == expected[0], response.text
        assert expected[1] in (None, scim_type)


async def test_the_service_says_what_it_supports(directory: Directory) -> None:
    said = (await directory.call("GET", "/ServiceProviderConfig")).json()
    supported = {name: said[name]["supported"] for name in ("patch", "bulk", "filter", "sort", "etag")}
    assert supported == {"patch": True, "bulk": False, "filter": True, "sort": False, "etag": True}
    kinds = (await directory.call("GET", "/ResourceTypes")).json()
    assert [each["id"] for each in kinds["Resources"]] == ["User", "Group"]
    schema = (await directory.call("GET", f"/Schemas/{USER}")).json()
    assert schema["name"] == "User"
    for path in ("/Schemas/nonsense", "/Machines", "/ResourceTypes/Machine"):
        assert refusal(await directory.call("GET", path)) == (404, None)
    assert refusal(await directory.call("POST", "/Machines", {})) == (404, None)


async def test_identity_away_is_said_and_provisions_nobody(directory: Directory) -> None:
    directory.world.identity.away = True
    response = await directory.call("POST", "/Users", user())
    assert response.status_code == 503
    directory.world.identity.away = False
    assert await directory.find("active eq true") == []


def world_scope(directory: Directory) -> Scope:
    return Scope.of(UUID(directory.owner.enterprise_id))
