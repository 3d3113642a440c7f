"""Files of chat sessions through the real gateway: sent in parts, checked, handed out whole and in ranges."""

from __future__ import annotations

import base64
import hashlib
import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.e2e.suite import Suite
from tests.replay.people import Member
from tests.replay.rest import Rest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

MEBIBYTE = 1024 * 1024


@dataclass
class Browser:
    """A member with a chat session, and a stranger, each over HTTP alone."""

    mine: httpx.AsyncClient
    strangers: httpx.AsyncClient
    files: str
    """The path of the session's files."""

    async def declare(self, data: bytes, **changed: object) -> dict[str, Any]:
        """Declares a file as it is, but for what is changed."""
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        fields = {"displayName": "plan.bin", "mediaType": "application/octet-stream", "sha256": digest}
        made = await self.mine.post(self.files, json=fields | {"size": str(len(data))} | changed)
        assert made.status_code == 200, made.text
        found: dict[str, Any] = made.json()
        return found

    async def put(self, file_id: str, data: bytes, offset: int = 0) -> httpx.Response:
        """Sends content from an offset on."""
        url = f"{self.files}/{file_id}/content"
        return await self.mine.put(url, params={"offset": offset}, content=data)


@pytest_asyncio.fixture
async def browser(suite: Suite) -> AsyncIterator[Browser]:
    """Two new members; the first one has a session."""
    gateway, rest = suite.plan.url("gateway"), Rest(suite.plan.url("gateway"))
    run = uuid.uuid4().hex
    members = [Member(f"{who}.{run[:12]}@example.com", f"{run}-password", who) for who in ("mine", "other")]
    for each in members:
        await each.join(rest, suite.plan.url("mail"), f"{run}/{each.name}")
    body = {"model": "openai/gpt-4.1"}
    session = await rest.call("POST", "/v1/chatSessions", token=members[0].access_token, body=body)
    await rest.close()
    mine, other = (
        httpx.AsyncClient(
            base_url=gateway,
            headers={"Authorization": f"Bearer {each.access_token}"},
            timeout=30,
            trust_env=False,
        )
        for each in members
    )
    async with mine, other:
        yield Browser(mine, other, f"/v1/chatSessions/{session['id']}/files")


async def test_a_file_is_sent_in_parts_resumed_and_handed_out_whole_and_in_ranges(browser: Browser) -> None:
    data = os.urandom(9 * MEBIBYTE + 7)
    file = await browser.declare(data)
    path = f"{browser.files}/{file['id']}"
    assert (await browser.put(file["id"], data[: 5 * MEBIBYTE])).json()["receivedSize"] == str(5 * MEBIBYTE)
    assert (await browser.mine.post(f"{path}:complete", json={})).json()["reason"] == "FILE_INCOMPLETE"
    again = await browser.put(file["id"], data)
    assert (again.status_code, again.json()["reason"]) == (400, "OFFSET_WRONG")
    received = int((await browser.mine.get(path)).json()["receivedSize"])
    await browser.put(file["id"], data[received:], received)
    assert (await browser.mine.post(f"{path}:complete", json={})).json()["state"] == "STATE_READY"
    whole = await browser.mine.get(f"{path}:download")
    assert whole.content == data
    assert whole.headers["content-disposition"] == "attachment"
    assert whole.headers["cache-control"] == "no-store"
    part = await browser.mine.get(f"{path}:download", headers={"Range": "bytes=4194300-4194310"})
    assert (part.status_code, part.content) == (206, data[4194300:4194311])
    assert part.headers["content-range"] == f"bytes 4194300-4194310/{len(data)}"
    for method, url in (("GET", path), ("GET", f"{path}:download"), ("POST", f"{path}:complete")):
        refused = await browser.strangers.request(method, url)
        assert (refused.status_code, refused.json()["reason"]) == (404, "SESSION_NOT_FOUND")


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        ({"size": "9"}, "FILE_LONGER_THAN_DECLARED"),
        ({"sha256": base64.b64encode(bytes(32)).decode()}, "FILE_CHECKSUM_DIFFERS"),
        ({"mediaType": "image/png"}, "FILE_TYPE_DIFFERS"),
    ],
)
async def test_a_file_that_lies_is_refused_over_http_and_gone(
    browser: Browser, declared: dict[str, object], why: str
) -> None:
    data = b"no picture at all"
    file = await browser.declare(data, **declared)
    path = f"{browser.files}/{file['id']}"
    answer = await browser.put(file["id"], data)
    if answer.is_success:
        answer = await browser.mine.post(f"{path}:complete", json={})
    assert (answer.status_code, answer.json()["reason"]) == (400, why)
    assert (await browser.mine.get(path)).status_code == 404
