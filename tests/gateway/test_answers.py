"""How failures, metadata, deadlines and limits show in HTTP."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from gateway.problems import HTTP_STATUS
from tests.gateway.conftest import Open
from tests.gateway.library import SERVICE, Library


async def failed(client: httpx.AsyncClient, **request: Any) -> httpx.Response:
    return await client.post("/v1/fail", json=request)


@pytest.mark.parametrize(("code", "status"), [pair for pair in HTTP_STATUS.items() if pair[0] != "OK"])
async def test_every_code_has_its_status(client: httpx.AsyncClient, code: str, status: int) -> None:
    response = await failed(client, code=code, message="Said so.", details=["info"])
    problem = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["detail"] == "Said so."
    assert response.headers["content-type"] == "application/problem+json"


async def test_a_problem_carries_the_reason_and_every_detail(client: httpx.AsyncClient) -> None:
    response = await failed(
        client,
        code="RESOURCE_EXHAUSTED",
        message="None left.",
        details=["info", "fields", "retry", "foreign", "debug"],
    )
    assert response.headers["retry-after"] == "3"
    assert response.json() == {
        "type": "urn:problem:library:OUT_OF_BOOKS",
        "title": "Out of books",
        "status": 429,
        "detail": "None left.",
        "instance": response.headers["x-request-id"],
        "code": "RESOURCE_EXHAUSTED",
        "reason": "OUT_OF_BOOKS",
        "domain": "library",
        "metadata": {"left": "0"},
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "OUT_OF_BOOKS",
                "domain": "library",
                "metadata": {"left": "0"},
            },
            {
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [
                    {"field": 'someThing.byName["a.b"].maybeText', "description": "is no name"},
                    {"field": "not_mine[3].page_count", "description": "is too small"},
                ],
            },
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2.500s"},
            {"@type": "type.googleapis.com/nobody.Knows", "value": "AQI="},
        ],
    }


async def test_an_error_that_the_service_wrote_itself_is_the_answer(client: httpx.AsyncClient) -> None:
    header = {"key": "Content-Type", "value": "application/scim+json"}
    body = base64.b64encode(b'{"status":"412"}').decode()
    written = {"status": 412, "headers": [header], "body": body}
    response = await failed(client, code="ABORTED", details=["info", json.dumps(written)])
    assert (response.status_code, response.content) == (412, b'{"status":"412"}')
    assert response.headers["content-type"] == "application/scim+json"
    for wrong in ({"status": 200}, {"headers": [header | {"value": "text/x\r\nset-cookie: a"}]}):
        response = await failed(client, code="ABORTED", details=[json.dumps(written | wrong)])
        assert (response.status_code, response.headers["content-type"]) == (409, "application/problem+json")
        assert "set-cookie" not in response.headers


async def test_a_bare_internal_message_is_not_shown(client: httpx.AsyncClient) -> None:
    for code in ("INTERNAL", "UNKNOWN", "UNAVAILABLE", "DATA_LOSS"):
        response = await failed(client, code=code, message="psycopg at 10.0.0.1")
        assert "psycopg" not in response.text


async def test_an_answer_that_is_no_json_is_a_500_that_shows_nothing(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/echo", json={"text": "no JSON"})
    assert (response.status_code, response.json()["code"]) == (500, "INTERNAL")
    assert "NaN" not in response.text


async def test_unauthenticated_says_how_to_authenticate(client: httpx.AsyncClient) -> None:
    response = await failed(client, code="UNAUTHENTICATED", message="Who are you?")
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")


async def test_a_service_sets_status_headers_and_cookies(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/v1/answer",
        json={
            "metadata": {
                "x-http-code": "201",
                "x-http-header-location": "/v1/books/9",
                "x-http-header-etag": '"v2"',
                "x-http-header-content-type": "application/scim+json",
                "x-http-header-x-powered-by": "nobody",
                "x-http-header-content-length": "3",
                "other": "kept inside",
            },
            "cookies": ["a=1; HttpOnly", "b=2"],
        },
    )
    assert (response.status_code, response.json()) == (201, {"text": "answered"})
    assert response.headers["location"] == "/v1/books/9"
    assert response.headers["content-type"] == "application/scim+json"
    assert response.headers.get_list("set-cookie") == ["a=1; HttpOnly", "b=2"]
    assert "x-powered-by" not in response.headers
    assert "other" not in response.headers


@pytest.mark.parametrize("code", ["99", "600", "abc", "-1", "1e2"])
async def test_a_status_that_is_none_is_left_out(client: httpx.AsyncClient, code: str) -> None:
    assert (await client.post("/v1/answer", json={"metadata": {"x-http-code": code}})).status_code == 200


async def test_a_204_has_no_body(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/answer", json={"metadata": {"x-http-code": "204"}})
    assert (response.status_code, response.content) == (204, b"")


async def test_only_listed_headers_become_metadata(client: httpx.AsyncClient, library: Library) -> None:
    sent = {
        "authorization": "Bearer t",
        "cookie": "a=b",
        "traceparent": "00-1-2-03",
        "if-match": '"v1"',
        "accept-language": "ko",
        "user-agent": "browser/1",
        "x-request-id": "r-1",
        "x-forwarded-for": "6.6.6.6",
        "x-internal-admin": "yes",
        "grpc-timeout": "1n",
        "x-http-code": "302",
    }
    response = await client.get("/v1/books/b1", headers=sent)
    seen = library.metadata
    assert response.headers["x-request-id"] == seen["x-request-id"] == "r-1"
    assert seen["x-user-agent"] == "browser/1"
    assert {
        name: seen[name] for name in ("authorization", "cookie", "traceparent", "if-match", "accept-language")
    } == {
        name: sent[name] for name in ("authorization", "cookie", "traceparent", "if-match", "accept-language")
    }
    assert "x-internal-admin" not in seen
    assert "x-http-code" not in seen


async def test_the_client_cannot_forge_its_address(gateway: Open, library: Library) -> None:
    forged = {"x-forwarded-for": "6.6.6.6, 7.7.7.7"}
    async with gateway() as client:
        await client.get("/v1/books/b1", headers=forged)
        assert library.metadata["x-forwarded-for"] == "127.0.0.1"
    async with gateway(trusted_proxies=1) as client:
        await client.get("/v1/books/b1", headers=forged)
        assert library.metadata["x-forwarded-for"] == "7.7.7.7"


async def test_odd_bytes_in_headers_are_escaped(client: httpx.AsyncClient, library: Library) -> None:
    odd = [(b"user-agent", b"caf\xe9"), (b"x-request-id", b"a\xffb")]
    response = await client.get("/v1/books/b1", headers=odd)
    assert response.status_code == 200
    assert library.metadata["x-user-agent"] == "caf%E9"
    assert len(library.metadata["x-request-id"]) == 32


async def test_the_idempotency_key_fills_the_request_id(client: httpx.AsyncClient, library: Library) -> None:
    await client.post("/v1/books", json={}, headers={"idempotency-key": "key-1"})
    await client.post("/v1/books?requestId=own", json={}, headers={"idempotency-key": "key-1"})
    await client.delete("/v1/books/b1", headers={"idempotency-key": "key-1"})
    assert [getattr(each, "request_id", None) for each in library.seen] == ["key-1", "own", None]


async def test_deadlines_are_set_and_capped(gateway: Open, library: Library) -> None:
    async with gateway(timeout_seconds=9, max_timeout_seconds=30) as client:
        remaining = []
        for headers in ({}, {"x-request-timeout": "3"}, {"x-request-timeout": "1000"}):
            await client.get("/v1/books/b1", headers=headers)
            remaining.append(library.remaining or 0)
    assert [round(seconds) for seconds in remaining] == [9, 3, 30]


async def test_a_deadline_that_passes_is_a_504_and_cancels_the_call(
    client: httpx.AsyncClient, library: Library
) -> None:
    response = await client.get("/v1/wait?pauseSeconds=30", headers={"x-request-timeout": "0.1"})
    assert (response.status_code, response.json()["code"]) == (504, "DEADLINE_EXCEEDED")


async def test_a_safe_method_is_sent_once_more(client: httpx.AsyncClient, library: Library) -> None:
    library.fail_first = 1
    assert (await client.get("/v1/books/b1")).status_code == 200
    library.fail_first = 2
    refused = await client.get("/v1/books/b1")
    assert (refused.status_code, "10.0.0.1" in refused.text) == (503, False)


async def test_an_unsafe_method_is_never_sent_again(client: httpx.AsyncClient, library: Library) -> None:
    await failed(client, code="UNAVAILABLE")
    assert len(library.seen) == 1


async def test_an_absent_backend_is_a_quick_503(gateway: Open) -> None:
    async with gateway(backends=(("library.v1", "127.0.0.1:1"),)) as client:
        response = await client.post("/v1/fail", json={})
        ready = await client.get("/readyz")
        alive = await client.get("/healthz")
    assert (response.status_code, response.json()["code"]) == (503, "UNAVAILABLE")
    assert "127.0.0.1" not in response.text
    assert (ready.status_code, alive.status_code) == (503, 200)
    assert ready.json()["backends"] == {"library.v1": "unreachable"}


async def test_readiness_follows_the_backends(client: httpx.AsyncClient) -> None:
    response = await client.get("/readyz")
    assert (response.status_code, response.json()["backends"]) == (200, {SERVICE: "serving"})


async def test_security_headers_are_on_every_answer(gateway: Open) -> None:
    async with gateway(docs=True) as client:
        for path in ("/v1/books/b1", "/nowhere", "/healthz", "/docs", "/openapi.json"):
            headers = (await client.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff", path
            assert "frame-ancestors 'none'" in headers["content-security-policy"], path
    assert headers["x-frame-options"] == "DENY"
    assert "strict-transport-security" not in headers


async def test_other_origins_are_answered_only_where_it_is_set(gateway: Open) -> None:
    asked = {"origin": "https://a.example", "access-control-request-method": "PATCH"}
    async with gateway() as client:
        assert (
            "access-control-allow-origin" not in (await client.options("/v1/books/b1", headers=asked)).headers
        )
    async with gateway(cors_origins=("https://a.example",)) as client:
        preflight = await client.options("/v1/books/b1", headers=asked)
        plain = await client.get("/v1/books/b1", headers={"origin": "https://b.example"})
    assert preflight.headers["access-control-allow-origin"] == "https://a.example"
    assert "access-control-allow-origin" not in plain.headers
