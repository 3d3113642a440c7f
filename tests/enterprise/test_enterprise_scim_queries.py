"""What directories ask by SCIM: filters, pages, attributes."""

from __future__ import annotations

from tests.enterprise.scim import (
    Directory,
    refusal,
)

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
