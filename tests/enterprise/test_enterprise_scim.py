"""SCIM as a protocol: clients, keys, versions, and what is refused."""

from __future__ import annotations

from typing import Any

from scim2_client.engines.asgi import ASGISCIMClient

from tests.enterprise import scim
from tests.enterprise.scim import (
    PATCH,
    USER,
    Directory,
    employee,
    refusal,
    roles,
    user,
)
from wrtn.access.v1.access_pb2 import (
    ROLE_MEMBER,
    TITLE_MEMBER,
    TITLE_UNSPECIFIED,
)
from wrtn.enterprise.v1.enterprises_pb2 import (
    CloseEnterpriseRequest,
    GetEnterpriseRequest,
    ReopenEnterpriseRequest,
)

MALFORMED: list[tuple[bytes, tuple[int, str | None]]] = [
    (b"{", (400, "invalidSyntax")),
    (b"[]", (400, "invalidSyntax")),
    (b"[" * 100_000, (400, "invalidSyntax")),
    (b"{}", (400, None)),
    (b'{"schemas":["%s"],"userName":7}' % USER.encode(), (400, None)),
    (b'{"userName":"' + b"x" * 1024 * 1024 + b'"}', (413, None)),
    (b"\xff\xfe", (400, "invalidSyntax")),
]


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


async def test_a_repeated_creation_with_an_idempotency_key_is_answered_again(directory: Directory) -> None:
    first = await directory.call("POST", "/Users", user(), {"idempotency-key": "k1"})
    again = await directory.call("POST", "/Users", user(), {"idempotency-key": "k1"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()


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


async def test_another_enterprises_key_sees_and_changes_nothing_here(directory: Directory) -> None:
    mina, world = await directory.user(), directory.world
    group = await directory.group("Sales", mina)
    foreign = await world.owner()
    await scim.prove(world, foreign, "other.example")
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
    reopening = ReopenEnterpriseRequest(enterprise_id=owner.enterprise_id)
    await world.enterprises.ReopenEnterprise(reopening, metadata=world.identity.token(owner.person))
    assert (await directory.call("GET", f"/Users/{mina['id']}")).status_code == 200


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
