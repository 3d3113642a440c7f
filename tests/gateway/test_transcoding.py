"""Paths, queries and bodies become request messages; responses become ProtoJSON."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.gateway.conftest import Open
from tests.gateway.library import Library

EVERYTHING: dict[str, Any] = {
    "text": "été \u0000 \U0001f4da",
    "number": -5,
    "big": "-9223372036854775808",
    "huge": "18446744073709551615",
    "ratio": 0.5,
    "flag": True,
    "data": "//4=",
    "kind": "KIND_NOVEL",
    "time": "2024-02-29T12:00:00.123456789Z",
    "duration": "-1.500s",
    "mask": "displayName,a.b",
    "maybeText": "",
    "maybeFlag": False,
    "maybeBig": "7",
    "struct": {"a": [1.0, None, {"b": "c"}]},
    "value": None,
    "texts": ["a", ""],
    "numbers": [1, 2],
    "byName": {"x": {"number": 1}},
    "inner": {"inner": {"text": "deep"}},
    "list": [{}, {"flag": True}],
    "optionalText": "",
    "right": 0,
}


async def test_a_path_variable_fills_its_field(client: httpx.AsyncClient, library: Library) -> None:
    response = await client.get("/v1/books/b1")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {
        "id": "b1",
        "title": "Emma",
        "copies": "7",
        "accepted_prediction": 3,
        "kind": "KIND_NOVEL",
    }


async def test_every_kind_of_value_survives_the_way_there_and_back(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/echo", json=EVERYTHING)
    assert response.status_code == 200, response.text
    assert response.json() == EVERYTHING


async def test_fields_may_be_given_by_their_proto_names(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/echo", json={"maybe_text": "a", "by_name": {"k": {}}})
    assert response.json() == {"maybeText": "a", "byName": {"k": {}}}


async def test_an_additional_binding_fills_a_nested_field(
    client: httpx.AsyncClient, library: Library
) -> None:
    assert (await client.get("/v1/shelves/12/books/b1")).status_code == 200
    assert (library.seen[0].shelf.number, library.seen[0].book_id) == (12, "b1")


async def test_path_variables_are_of_their_fields_types(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/echo/numbers/-3/true/9007199254740993", json={"text": "t"})
    assert response.json() == {"text": "t", "number": -3, "flag": True, "big": "9007199254740993"}
    refused = await client.post("/v1/echo/numbers/x/true/1", json={})
    assert refused.status_code == 400
    assert refused.json()["details"][0]["fieldViolations"][0]["field"] == "number"


async def test_the_path_wins_over_the_body_even_with_a_zero(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/echo/numbers/0/false/0", json={"number": 5, "flag": True, "big": "9"})
    assert response.json() == {}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/racks/a%2Fb/books/c/d%20e", "racks/a%2Fb/books/c/d e"),
        ("/v1/racks/special/books/first:peek", "racks/special/books/first"),
        ("/v1/racks/special/books/first/x:other", "racks/special/books/first/x:other"),
        ("/v1/names/shelves/1", "shelves/1"),
    ],
)
async def test_a_resource_name_spans_segments(client: httpx.AsyncClient, path: str, expected: str) -> None:
    response = await client.get(path)
    assert response.json() == expected


async def test_a_custom_verb_takes_the_whole_body(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/books/b1:lend", json={"number": 2})
    assert response.json() == {"text": "b1", "number": 2}


async def test_a_custom_method_is_served(client: httpx.AsyncClient) -> None:
    assert (await client.request("PURGE", "/v1/echo")).status_code == 200


async def test_query_parameters_reach_every_scalar(client: httpx.AsyncClient) -> None:
    response = await client.get(
        "/v1/echo?text=a%20b+c&number=-1&big=5&ratio=1.5&flag=true&data=_-8&kind=KIND_SCIENCE"
        "&time=2024-01-01T00:00:00Z&duration=3s&mask=a,bC&maybeText=&maybeFlag=false&maybe_big=9&texts=x&texts=y"
        "&numbers=1&numbers=2&inner.inner.number=3&optional_text=&right=4"
    )
    assert response.status_code == 200, response.text
    assert response.json() == {
        "text": "a b c",
        "number": -1,
        "big": "5",
        "ratio": 1.5,
        "flag": True,
        "data": "/+8=",
        "kind": "KIND_SCIENCE",
        "time": "2024-01-01T00:00:00Z",
        "duration": "3s",
        "mask": "a,bC",
        "maybeText": "",
        "maybeFlag": False,
        "maybeBig": "9",
        "texts": ["x", "y"],
        "numbers": [1, 2],
        "inner": {"inner": {"number": 3}},
        "optionalText": "",
        "right": 4,
    }


async def test_an_enum_may_be_a_number_in_the_query(client: httpx.AsyncClient, library: Library) -> None:
    response = await client.get("/v1/books?filter.kinds=1&filter.kinds=KIND_SCIENCE")
    assert response.status_code == 200
    assert list(library.seen[0].filter.kinds) == [1, 2]


async def test_a_body_that_is_one_field_leaves_the_rest_to_the_query(
    client: httpx.AsyncClient, library: Library
) -> None:
    response = await client.post(
        "/v1/books?validateOnly=true", json={"title": "Emma", "accepted_prediction": 4}
    )
    assert response.json() == {"title": "Emma", "accepted_prediction": 4}
    assert library.seen[0].validate_only


async def test_a_patch_takes_its_mask_from_the_query(client: httpx.AsyncClient, library: Library) -> None:
    response = await client.patch("/v1/books/b7?updateMask=title,pageCount", json={"title": "Emma"})
    assert response.json() == {"id": "b7", "title": "Emma"}
    assert list(library.seen[0].update_mask.paths) == ["title", "page_count"]


async def test_a_body_may_be_a_repeated_field(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/echo/texts", json=["a", "b"])
    assert response.json() == {"texts": ["a", "b"]}


async def test_a_body_that_is_a_field_cannot_reach_other_fields(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/echo/texts", content=b'["a"],"number":5')
    assert response.status_code == 400


async def test_an_empty_body_is_an_empty_message(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/echo")).json() == {}


async def test_response_body_answers_one_field(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/ids?pageSize=2")).json() == ["0", "1"]
    assert (await client.get("/v1/ids")).json() == []


async def test_zero_values_are_written_only_where_it_is_set(gateway: Open) -> None:
    async with gateway(emit_defaults=True) as client:
        body = (await client.get("/v1/books?pageSize=0")).json()
    assert body == {"books": [], "nextPageToken": ""}


@pytest.mark.parametrize(
    ("sent", "written"),
    [("1200", "1200"), ("-3.0", "-3"), ("1e3", "1000"), ("0.5", "0.5"), ("1e300", "1e+300")],
)
async def test_whole_doubles_are_written_without_a_fraction(
    client: httpx.AsyncClient, sent: str, written: str
) -> None:
    text = '"ratio":5.0,\\"ratio\\":7.0}'
    body = f'{{"ratio": {sent}, "text": {json.dumps(text)}}}'
    answer = await client.post("/v1/echo", content=body, headers={"content-type": "application/json"})
    assert f'"ratio":{written}' in answer.text.replace(" ", "")
    assert answer.json()["text"] == text


async def test_head_answers_what_get_would_without_its_body(client: httpx.AsyncClient) -> None:
    whole, head = await client.get("/v1/books/b1"), await client.head("/v1/books/b1")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))


async def test_options_says_what_a_path_takes(client: httpx.AsyncClient) -> None:
    response = await client.options("/v1/books/b1")
    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"
