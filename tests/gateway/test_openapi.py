"""The OpenAPI document says what the protos say, and the page shows it without any other host."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from gateway.openapi.document import document
from gateway.schema import Schema
from tests.gateway.conftest import ROOT, Open


@pytest.fixture(scope="module")
def openapi(descriptor_set: Path) -> dict[str, Any]:
    schema = Schema.load(descriptor_set)
    found: dict[str, Any] = json.loads(json.dumps(document(schema, schema.bindings(), "Library")))
    return found


def book(openapi: dict[str, Any], field: str) -> dict[str, Any]:
    found: dict[str, Any] = openapi["components"]["schemas"]["library.v1.Book"]["properties"][field]
    return found


def test_the_document_is_valid(openapi: dict[str, Any]) -> None:
    validate(openapi)
    assert openapi["openapi"].startswith("3.1")


def test_the_document_of_the_suite_is_valid() -> None:
    schema = Schema.load(ROOT / "wrtn" / "descriptors.binpb")
    validate(json.loads(json.dumps(document(schema, schema.bindings(), "wrtn"))))


def test_every_described_binding_is_an_operation_of_its_own(
    openapi: dict[str, Any], descriptor_set: Path
) -> None:
    operations = [each for item in openapi["paths"].values() for each in item.values()]
    bindings = Schema.load(descriptor_set).bindings()
    assert len(operations) == sum(each.verb != "PURGE" for each in bindings)
    names = [each["operationId"] for each in operations]
    assert len(names) == len(set(names))
    assert {"Library_GetBook", "Library_GetBook_2"} <= set(names)


def test_paths_that_differ_in_parameter_names_alone_are_one(openapi: dict[str, Any]) -> None:
    assert set(openapi["paths"]["/v1/books/{bookId}"]) == {"get", "patch", "put", "delete"}
    blank = [re.sub(r"\{[^}]*\}", "{}", path) for path in openapi["paths"]]
    assert len(blank) == len(set(blank))


def test_comments_become_descriptions(openapi: dict[str, Any]) -> None:
    get = openapi["paths"]["/v1/books/{bookId}"]["get"]
    assert get["summary"] == "Gets one book."
    assert "Returns NOT_FOUND" in get["description"]
    assert openapi["tags"] == [
        {"name": "Library", "description": "Keeps books on shelves.\n\nEverything here is echoed."}
    ]
    assert book(openapi, "id")["description"] == "Its id, a UUID."
    assert "`KIND_NOVEL`: Invented." in openapi["components"]["schemas"]["library.v1.Kind"]["description"]
    assert (
        "At most one of `shelf`, `borrower`"
        in openapi["components"]["schemas"]["library.v1.Book"]["description"]
    )


def test_access_rules_are_stated(openapi: dict[str, Any]) -> None:
    get, listed = openapi["paths"]["/v1/books/{bookId}"]["get"], openapi["paths"]["/v1/books"]["get"]
    assert "**Access:** any signed-in member." in get["description"]
    assert "Only one's own." in get["description"]
    assert get["security"] == [{"bearer": []}]
    assert listed["security"] == []
    assert "security" not in openapi["paths"]["/v1/ids"]["get"]


def test_validation_becomes_constraints(openapi: dict[str, Any]) -> None:
    title, pages, authors = (book(openapi, name) for name in ("title", "pageCount", "authors"))
    assert (title["minLength"], title["maxLength"]) == (1, 80)
    assert (pages["minimum"], pages["exclusiveMaximum"]) == (1, 10000)
    assert (authors["minItems"], authors["maxItems"], authors["uniqueItems"]) == (1, 3, True)
    assert authors["items"]["pattern"] == "^[A-Z]"
    assert book(openapi, "contact")["format"] == "email"
    assert book(openapi, "labels")["maxProperties"] == 5
    assert book(openapi, "kind")["enum"] == ["KIND_NOVEL", "KIND_SCIENCE"]
    assert openapi["components"]["schemas"]["library.v1.Book"]["required"] == ["title"]
    parameter = openapi["paths"]["/v1/books/{bookId}"]["get"]["parameters"][0]
    assert (parameter["schema"]["format"], parameter["required"]) == ("uuid", True)


def test_types_are_those_of_protojson(openapi: dict[str, Any]) -> None:
    assert book(openapi, "copies")["type"] == "string"
    assert book(openapi, "accepted_prediction")["type"] == "integer"
    assert book(openapi, "createTime")["format"] == "date-time"
    assert book(openapi, "sequel")["$ref"] == "#/components/schemas/library.v1.Book"
    assert book(openapi, "oldTitle")["deprecated"]


def test_query_parameters_are_flattened_without_what_the_path_fills(openapi: dict[str, Any]) -> None:
    names = [each["name"] for each in openapi["paths"]["/v1/books"]["get"]["parameters"]]
    assert names == ["pageSize", "pageToken", "filter.kinds", "filter.after", "readMask"]
    names = [
        each["name"]
        for each in openapi["paths"]["/v1/shelves/{shelf.number}/books/{bookId}"]["get"]["parameters"]
    ]
    assert names == ["shelf.number", "bookId"]


def test_bodies_streams_and_errors_are_described(openapi: dict[str, Any]) -> None:
    create = openapi["paths"]["/v1/books"]["post"]
    assert "$ref" in create["requestBody"]["content"]["application/json"]["schema"]
    assert {"$ref": "#/components/parameters/IdempotencyKey"} in create["parameters"]
    lend = openapi["paths"]["/v1/books/{text}:lend"]["post"]["requestBody"]["content"]["application/json"][
        "schema"
    ]
    assert "text" not in lend["properties"]
    assert set(openapi["paths"]["/v1/count"]["get"]["responses"]["200"]["content"]) == {
        "application/x-ndjson",
        "text/event-stream",
    }
    assert create["responses"]["default"] == {"$ref": "#/components/responses/Problem"}


async def test_the_page_needs_no_other_host(gateway: Open) -> None:
    async with gateway(docs=True, title="Books & <more>") as client:
        page = await client.get("/docs")
        links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        found = [await client.get(link) for link in links]
        document_ = await client.get("/openapi.json")
        again = await client.get("/openapi.json", headers={"if-none-match": document_.headers["etag"]})
    assert len(links) == 4
    assert all(link.startswith("/docs/") for link in links)
    assert [each.status_code for each in found] == [200] * 4
    assert "Books &amp; &lt;more>" in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert document_.json()["info"]["title"] == "Books & <more>"
    assert again.status_code == 304


async def test_documentation_can_be_turned_off(gateway: Open) -> None:
    async with gateway(docs=False) as client:
        assert [(await client.get(path)).status_code for path in ("/docs", "/openapi.json")] == [404, 404]
