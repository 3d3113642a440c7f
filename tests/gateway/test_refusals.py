"""What a client does wrong is a 4xx that names it, and no backend is asked."""

from __future__ import annotations

import httpx
import pytest

from gateway import codec
from tests.gateway.conftest import Open
from tests.gateway.library import Library

NEST = codec.MAX_DEPTH


@pytest.mark.parametrize(
    ("body", "reason", "names"),
    [
        (b'{"text": ', "MALFORMED_JSON", "line 1 column 10"),
        (b'{"text": "a",}', "MALFORMED_JSON", "line 1"),
        (b"nonsense", "MALFORMED_JSON", "column 1"),
        (b'{"ratio": NaN}', "MALFORMED_JSON", "NaN"),
        (b'{"text": "\xff"}', "BAD_UTF8", "byte 10"),
        (b'{"text": "\\ud800"}', "MALFORMED_JSON", "JSON"),
        (b"[]", "INVALID_VALUE", "The body"),
        (b'{"nothing": 1}', "UNKNOWN_FIELD", "nothing"),
        (b'{"inner": {"list": [{}, {"number": "x"}]}}', "INVALID_VALUE", "inner.list[1].number"),
        (b'{"byName": {"a b": {"kind": "NO"}}}', "INVALID_VALUE", 'byName["a b"].kind'),
        (b'{"number": 2147483648}', "INVALID_VALUE", "number"),
        (b'{"big": "9223372036854775808"}', "INVALID_VALUE", "big"),
        (b'{"flag": "true"}', "INVALID_VALUE", "flag"),
        (b'{"data": "%%%"}', "INVALID_VALUE", "data"),
        (b'{"time": "yesterday"}', "INVALID_VALUE", "time"),
        (b'{"texts": [null]}', "INVALID_VALUE", "texts[0]"),
        (b'{"struct": {"a": 1e999}}', "INVALID_VALUE", "1e999"),
        (b"[" * 200_000, "JSON_TOO_DEEP", str(NEST)),
        (b'{"x":' * 200_000, "JSON_TOO_DEEP", str(NEST)),
        (b'{"struct":' + b'{"a":' * NEST + b"1" + b"}" * NEST + b"}", "JSON_TOO_DEEP", str(NEST)),
    ],
)
async def test_a_wrong_body_is_refused_by_its_place(
    client: httpx.AsyncClient, library: Library, body: bytes, reason: str, names: str
) -> None:
    response = await client.post("/v1/echo", content=body)
    problem = response.json()
    assert (response.status_code, problem["reason"]) == (400, reason)
    assert response.headers["content-type"] == "application/problem+json"
    assert names in problem["detail"]
    assert not library.seen


async def test_the_deepest_struct_that_passes_is_accepted_by_the_backend(client: httpx.AsyncClient) -> None:
    deep = b'{"struct":' + b'{"a":' * (NEST - 1) + b"1" + b"}" * (NEST - 1) + b"}"
    assert (await client.post("/v1/echo", content=deep)).status_code == 200


async def test_brackets_within_strings_are_no_nesting(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/echo", json={"text": '\\"[{' * 100})
    assert response.status_code == 200


def test_depth_is_checked_in_linear_time() -> None:
    for text in (b'"' + b'\\"' * 2_000_000, b"[]" * 2_000_000, b'"[]"' * 2_000_000, b"}" * 4_000_000):
        codec.check_depth(text)


@pytest.mark.parametrize(
    ("query", "reason", "names"),
    [
        ("nothing=1", "UNKNOWN_PARAMETER", "nothing"),
        ("inner.nothing=1", "UNKNOWN_PARAMETER", "inner.nothing"),
        ("inner=1", "UNKNOWN_PARAMETER", "inner"),
        ("struct=1", "UNKNOWN_PARAMETER", "struct"),
        ("number=1&number=2", "PARAMETER_REPEATED", "number"),
        ("number=x", "INVALID_VALUE", "number"),
        ("number=", "INVALID_VALUE", "number"),
        ("flag=yes", "INVALID_VALUE", "flag"),
        ("numbers=1&numbers=x", "INVALID_VALUE", "numbers[1]"),
        ("text=%FF", "BAD_UTF8", "UTF-8"),
        ("&".join("texts=a" for _ in range(1001)), "TOO_MANY_PARAMETERS", "1000"),
        (".".join(["inner"] * 40) + ".text=a", "UNKNOWN_PARAMETER", "inner"),
    ],
)
async def test_a_wrong_query_is_refused_by_its_parameter(
    client: httpx.AsyncClient, query: str, reason: str, names: str
) -> None:
    response = await client.get(f"/v1/echo?{query}")
    assert (response.status_code, response.json()["reason"]) == (400, reason)
    assert names in response.json()["detail"]


async def test_the_query_cannot_say_what_path_or_body_say(client: httpx.AsyncClient) -> None:
    for method, path in (
        ("GET", "/v1/books/b1?bookId=b2"),
        ("PUT", "/v1/books/b1?book.title=x"),
        ("POST", "/v1/echo?number=1"),
        ("GET", "/v1/books/b1?book_id=b2"),
    ):
        response = await client.request(method, path)
        assert (response.status_code, response.json()["reason"]) == (400, "PARAMETER_TAKEN"), path


async def test_bad_utf8_in_the_path_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/books/%FF%FE")
    assert (response.status_code, response.json()["reason"]) == (400, "BAD_UTF8")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/books/", 404),
        ("GET", "/library.v1.Library/Internal", 404),
        ("POST", "/v1/books/b1", 405),
        ("NONSENSE", "/v1/books", 405),
        ("OPTIONS", "/nowhere", 404),
    ],
)
async def test_a_wrong_path_or_method(client: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    response = await client.request(method, path)
    assert response.status_code == status
    assert ("allow" in response.headers) == (status == 405)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/json; charset=latin-1"}, 415),
        ({"content-type": "application/json; charset=UTF-8"}, 200),
        ({"content-type": "application/scim+json"}, 200),
        ({"content-type": "application/json", "content-encoding": "gzip"}, 415),
        ({"accept": "text/html"}, 406),
        ({"accept": "application/json;q=0, */*"}, 406),
        ({"accept": "text/html, application/*;q=0.1"}, 200),
        ({"accept": "application/scim+json"}, 200),
        ({"x-request-timeout": "soon"}, 400),
        ({"x-request-timeout": "0"}, 400),
        ({"x-request-timeout": "5.5"}, 200),
        ({"cookie": "a" * 8000}, 431),
    ],
)
async def test_headers_that_cannot_be_served(
    client: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    response = await client.post("/v1/echo", content=b"{}", headers=headers)
    assert response.status_code == status, response.text


async def test_a_body_where_none_is_taken(client: httpx.AsyncClient) -> None:
    response = await client.request("GET", "/v1/books/b1", content=b"{}")
    assert (response.status_code, response.json()["reason"]) == (400, "BODY_NOT_TAKEN")


async def test_too_large_a_body(gateway: Open, library: Library) -> None:
    async with gateway(max_body_bytes=1000) as client:
        body = b'{"text": "short",' + b" " * 1000 + b'"number": 1}'
        announced = await client.post("/v1/echo", content=body)

        async def parts() -> object:
            for at in range(0, len(body), 100):
                yield body[at : at + 100]

        streamed = await client.post("/v1/echo", content=parts())  # type: ignore[arg-type]
    assert (announced.status_code, streamed.status_code) == (413, 413)
    assert not library.seen
