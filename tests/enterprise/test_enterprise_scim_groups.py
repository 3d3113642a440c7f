"""What directories do by SCIM: groups are teams."""

from __future__ import annotations

from tests.enterprise.scim import (
    GROUP,
    Directory,
    employee,
    refusal,
    roles,
)
from wrtn.access.v1.access_pb2 import (
    ROLE_CHIEF,
    ROLE_MEMBER,
    TITLE_MEMBER,
)
from wrtn.enterprise.v1.history_pb2 import ListTeamChangesRequest
from wrtn.enterprise.v1.teams_pb2 import GetTeamRequest


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
