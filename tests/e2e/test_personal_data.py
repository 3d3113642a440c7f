"""A member takes their data with them: the archive is gathered, indexed, and downloaded by REST."""

from __future__ import annotations

import httpx
import pytest

from chassis.testing.waiting import until
from tests.e2e.callers import stranger
from tests.e2e.suite import Suite
from tests.identity.data import documents
from tests.replay.rest import Rest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


async def test_the_archive_of_every_service_comes_through_the_gateway_with_its_index(suite: Suite) -> None:
    member, other = await stranger(suite), await stranger(suite)
    rest = Rest(suite.plan.url("gateway"))
    await rest.call("POST", "/v1/chatSessions", token=member.access_token, body={"model": "openai/gpt-4o"})
    begun = await rest.call("POST", "/v1/exports", token=member.access_token, body={})

    async def result() -> dict[str, str]:
        path = f"/v1/identity/operations/{begun['id']}"
        found = await rest.call("GET", path, token=member.access_token)
        assert found["state"] not in ("STATE_FAILED", "STATE_CANCELLED"), found
        return dict(found.get("result", {}))

    made = await until(result, 60)
    await rest.close()
    async with httpx.AsyncClient(base_url=suite.plan.url("gateway"), trust_env=False) as client:
        path = f"/v1/exports/{made['export_id']}:download"

        async def download(token: str) -> httpx.Response:
            return await client.get(path, headers={"Authorization": f"Bearer {token}"})

        answer, foreign = await download(member.access_token), await download(other.access_token)
    assert (answer.status_code, foreign.status_code) == (200, 404)
    assert answer.headers["content-type"] == "application/zip"
    found = documents(answer.content)
    # Of who was never employed and never paid, two services hold nothing.
    assert {each.partition("/")[0] for each in found} >= {"identity", "sessions", "analytics"}
    assert [each["address"] for each in found["identity/email_addresses.jsonl"]] == [member.email]
    assert [each["title"] for each in found["sessions/chat_sessions.jsonl"]] == [""]
