"""Streams of messages and of bytes, both ways."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.gateway.conftest import Open
from tests.gateway.library import TEXT, Library


def lines(response: httpx.Response) -> list[dict[str, object]]:
    return [json.loads(line) for line in response.text.splitlines() if line]


async def test_a_stream_is_newline_delimited_json(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/count?upto=3")
    assert response.headers["content-type"] == "application/x-ndjson"
    assert lines(response) == [{"result": {"number": number}} for number in (1, 2, 3)]


async def test_a_stream_is_server_sent_events_where_they_are_accepted(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/count?upto=2", headers={"accept": "text/event-stream"})
    assert response.headers["content-type"] == "text/event-stream"
    assert response.text == 'data: {"number":1}\n\ndata: {"number":2}\n\n'


async def test_a_stream_that_fails_at_once_has_the_status(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/count?upto=3", headers={"accept": "text/html"})
    assert response.status_code == 406
    response = await client.get("/v1/count?upto=3&failAfter=-1")
    assert (response.status_code, response.json()["code"]) == (409, "ABORTED")


@pytest.mark.parametrize("accept", ["application/x-ndjson", "text/event-stream"])
async def test_a_stream_that_fails_later_says_so_at_its_end(client: httpx.AsyncClient, accept: str) -> None:
    response = await client.get("/v1/count?upto=9&failAfter=2", headers={"accept": accept})
    assert response.status_code == 200
    last = response.text.rstrip().rpartition("\n")[2].removeprefix("data: ")
    problem = json.loads(last)
    assert (problem.get("error") or problem)["code"] == "ABORTED"
    assert ("event: error\n" in response.text) == (accept == "text/event-stream")


async def test_head_of_a_stream_ends_it(client: httpx.AsyncClient, library: Library) -> None:
    response = await client.head("/v1/count")
    assert (response.status_code, response.content) == (200, b"")
    assert library.sent < 1000


async def test_an_empty_stream_is_an_empty_answer(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/sum", content=b"\n\n")
    assert (response.status_code, lines(response)) == (200, [{"result": {}}])


async def test_a_stream_both_ways(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/sum", content=b'{"upto":1}\n{"upto":2}\n\n{"upto":3}')
    assert [line["result"] for line in lines(response)] == [{"number": 1}, {"number": 3}, {"number": 6}]


async def test_a_bad_line_of_a_stream_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/sum", content=b'{"upto":"x"}\n')
    assert (response.status_code, response.json()["reason"]) == (400, "INVALID_VALUE")


async def test_a_raw_body_is_answered_as_it_is(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/books/b1/text", headers={"accept": "text/html"})
    assert (response.status_code, response.content) == (200, TEXT)
    assert response.headers["content-type"] == "text/plain"
    assert response.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("wanted", "status", "part"),
    [
        ("bytes=0-9", 206, TEXT[:10]),
        ("bytes=100-", 206, TEXT[100:]),
        ("bytes=-5", 206, TEXT[-5:]),
        ("bytes=5-1000000", 206, TEXT[5:]),
        ("bytes=-1000000", 206, TEXT),
        ("bytes=0-0", 206, TEXT[:1]),
        ("bytes=10240-", 416, b""),
        ("bytes=-0", 416, b""),
        ("bytes=9-5", 200, TEXT),
        ("lines=1-2", 200, TEXT),
        ("bytes=0-1,3-4", 200, TEXT),
        ("bytes=-", 200, TEXT),
        ("bytes=a-b", 200, TEXT),
    ],
)
async def test_a_range_of_a_raw_body(
    client: httpx.AsyncClient, wanted: str, status: int, part: bytes
) -> None:
    response = await client.get("/v1/books/b1/text", headers={"range": wanted})
    assert response.status_code == status
    if status == 416:
        assert response.headers["content-range"] == f"bytes */{len(TEXT)}"
    else:
        assert response.content == part
    if status == 206:
        first = (
            TEXT.index(part) if len(part) > 300 else int(response.headers["content-range"][6:].split("-")[0])
        )
        assert response.headers["content-range"] == f"bytes {first}-{first + len(part) - 1}/{len(TEXT)}"


async def test_if_range_of_another_version_answers_the_whole(client: httpx.AsyncClient) -> None:
    for version, status in (('"v1"', 206), ('"v0"', 200)):
        headers = {"range": "bytes=0-9", "if-range": version}
        assert (await client.get("/v1/books/b1/text", headers=headers)).status_code == status


async def test_raw_chunks_are_joined(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/books/b1/chunks?chunks=3&chunkSize=2")
    assert response.content == b"\x00\x00\x01\x01\x02\x02"
    assert response.headers["content-type"] == "application/x-book"
    assert "content-length" not in response.headers


async def test_a_range_of_chunks_whose_length_is_known(client: httpx.AsyncClient) -> None:
    url = "/v1/books/b1/chunks?chunks=100&chunkSize=10&sayLength=true"
    whole = await client.get(url)
    assert (len(whole.content), whole.headers["content-length"]) == (1000, "1000")
    part = await client.get(url, headers={"range": "bytes=15-34"})
    assert (part.status_code, part.content) == (206, b"\x01" * 5 + b"\x02" * 10 + b"\x03" * 5)
    assert (part.headers["content-range"], part.headers["content-length"]) == ("bytes 15-34/1000", "20")


async def test_a_raw_body_is_taken_as_it_is(client: httpx.AsyncClient) -> None:
    data = b"\xff\x00{" * 1000
    response = await client.put(
        "/v1/books/b1/text", content=data, headers={"content-type": "application/x-book"}
    )
    body = response.json()
    assert (body["size"], body["contentType"], body["bookId"]) == ("3000", "application/x-book", "b1")
    assert body["sha256"] == hashlib.sha256(data).hexdigest()


async def parts(count: int) -> AsyncIterator[bytes]:
    for number in range(count):
        yield bytes([number % 256]) * 1000


async def test_a_raw_body_is_streamed_up(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/books/b1/chunks", content=parts(50))
    body = response.json()
    assert (body["size"], body["messages"], body["bookId"]) == ("50000", 50, "b1")


async def test_too_large_an_upload_is_refused_while_it_comes(gateway: Open) -> None:
    async with gateway(max_upload_bytes=10_000) as client:
        response = await client.post("/v1/books/b1/chunks", content=parts(50))
    assert (response.status_code, response.json()["reason"]) == (413, "BODY_TOO_LARGE")


async def test_head_of_a_raw_stream_ends_it(client: httpx.AsyncClient) -> None:
    response = await client.head("/v1/books/b1/chunks?chunks=3&chunkSize=2&sayLength=true")
    assert (response.headers["content-length"], response.content) == ("6", b"")
