"""Nothing that a client sends gives a 5xx, no answer at all, or two."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.app import Gateway, opened
from gateway.headers import FORWARDED
from gateway.settings import Settings

ROUTES = (
    "/v1/books",
    "/v1/books/b1",
    "/v1/echo",
    "/v1/echo/texts",
    "/v1/echo/numbers/1/true/2",
    "/v1/ids",
    "/v1/books/b1:lend",
    "/v1/books/b1/text",
    "/v1/books/b1/chunks",
    "/v1/racks/1/books/2",
    "/v1/sum",
    "/v1/names/shelves/1",
    "/v1/shelves/1/books/2",
    "/healthz",
    "/openapi.json",
    "/docs",
)
FIELDS = (
    "text",
    "number",
    "big",
    "huge",
    "ratio",
    "flag",
    "data",
    "kind",
    "time",
    "duration",
    "mask",
    "maybeText",
    "maybeFlag",
    "maybeBig",
    "struct",
    "value",
    "texts",
    "numbers",
    "byName",
    "inner",
    "list",
    "left",
    "right",
    "book",
    "title",
    "pageSize",
    "filter.kinds",
    "upto",
    "content",
    "updateMask",
    "labels",
    "createTime",
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ("2024-01-01T00:00:00Z", "1.5s", "a,bC", "NaN", "1e999", "-0", "KIND_NOVEL", "\x00", "AAAA", "\ud800")
    )
)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS) | st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)
bodies = (
    st.binary(max_size=64)
    | documents.map(lambda each: json.dumps(each).encode("utf-8", "surrogatepass"))
    | st.tuples(st.sampled_from((b"[", b'{"struct":', b'{"a":', b'"\\')), st.integers(1, 3000)).map(
        lambda p: p[0] * p[1]
    )
)
known_paths = st.sampled_from(ROUTES).map(str.encode)
paths = st.one_of(
    known_paths,
    st.binary(max_size=40).map(lambda tail: b"/" + tail),
    st.tuples(known_paths, st.binary(max_size=12)).map(b"/".join),
)
pairs = st.tuples(st.sampled_from(FIELDS) | st.text(max_size=5), st.text(max_size=8)).map("=".join)
queries = st.binary(max_size=40) | st.lists(pairs, max_size=4).map(lambda each: "&".join(each).encode())
names = st.sampled_from(sorted(FORWARDED)) | st.sampled_from(
    (
        b"content-type",
        b"accept",
        b"content-length",
        b"content-encoding",
        b"x-request-id",
        b"x-forwarded-for",
        b"range",
    )
)
values = st.binary(max_size=40) | st.sampled_from(
    (
        b"application/json",
        b"text/event-stream",
        b"*/*;q=x",
        b"bytes=0-5",
        b"bytes=9999999999-",
        b"gzip",
        b"-1",
    )
)
methods = st.sampled_from(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PURGE", "X"))


@pytest.fixture
async def app(settings: Callable[..., Settings]) -> AsyncIterator[Gateway]:
    async with opened(
        settings(docs=True, trusted_proxies=1, rate_address="", rate_write="", rate_read="")
    ) as gateway:
        yield gateway


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    method=methods,
    path=paths,
    query=queries,
    headers=st.lists(st.tuples(names, values), max_size=4),
    body=bodies,
    cut=st.integers(0, 64),
)
async def test_arbitrary_requests_are_answered_below_500(
    app: Gateway,
    method: str,
    path: bytes,
    query: bytes,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
    cut: int,
) -> None:
    status = await answered(app, method, path, query, headers, [body[:cut], body[cut:]])
    assert 200 <= status < 500


async def answered(
    app: Gateway,
    method: str,
    path: bytes,
    query: bytes,
    headers: list[tuple[bytes, bytes]],
    parts: list[bytes],
) -> int:
    """Sends one request straight into the application; answers the status of its only response."""
    sent: list[Any] = []
    left = [
        {"type": "http.request", "body": part, "more_body": index + 1 < len(parts)}
        for index, part in enumerate(parts)
    ]

    async def receive() -> Any:
        if not left:
            await asyncio.Event().wait()  # the client stays for its answer, however slow the machine is
        return left.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "raw_path": path,
        "path": path.decode("utf-8", "replace"),
        "root_path": "",
        "query_string": query,
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("gateway", 80),
        "http_version": "1.1",
        "scheme": "http",
    }
    await app(scope, receive, send)
    starts = [each for each in sent if each["type"] == "http.response.start"]
    assert len(starts) == 1
    assert not sent[-1].get("more_body")
    found: int = starts[0]["status"]
    return found
