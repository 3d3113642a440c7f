"""What really happens in an enterprise reaches its webhook: an event of each service, all the way."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from chassis.testing import web
from chassis.testing.waiting import until
from clients.python.wrtn_recorder import Opening, Recorder, service_tokens, token_usage
from tests.e2e.callers import stranger
from tests.e2e.suite import Suite
from tests.replay.people import Member
from tests.replay.play import MODELS
from tests.replay.rest import Rest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

WANTED = {
    "identity.account.opened",
    "enterprise.team.created",
    "sessions.chat_session.created",
    "sessions.usage.recorded",
    "billing.usage.rated",
}


async def test_what_happens_in_each_service_is_delivered_signed(suite: Suite) -> None:
    rest = Rest(suite.plan.url("gateway"))
    try:
        async with web.serving() as receiver:
            owner, path = await founded(rest, suite)
            endpoint = {"endpoint": {"url": receiver.url, "eventTypes": sorted(WANTED)}}
            made = await post(rest, owner, f"{path}/webhookEndpoints", endpoint)
            hired = {"memberId": (await stranger(suite)).id, "title": "TITLE_MEMBER"}
            account_id = (await post(rest, owner, f"{path}/employees", hired))["accountId"]
            team_id = (await post(rest, owner, f"{path}/teams", {"displayName": "Sales"}))["id"]
            session_id = (await post(rest, owner, "/v1/chatSessions", {"model": MODELS[0]}))["id"]
            history_id = str(uuid.uuid4())
            await record(rest, suite, owner, path, session_id, history_id)
            await until(lambda: {told["type"] for told in bodies(receiver)} >= WANTED, 60)
            signed = Webhook(made["secret"])
            for request in receiver.requests:
                signed.verify(request.body, dict(request.headers))
            data = {told["type"]: told["data"] for told in bodies(receiver)}
            assert {told["tenant"] for told in bodies(receiver)} == {path.rpartition("/")[2]}
            assert data["identity.account.opened"]["accountId"] == account_id
            assert data["enterprise.team.created"]["teamId"] == team_id
            assert data["sessions.usage.recorded"]["historyId"] == history_id
            assert data["billing.usage.rated"]["historyId"] == history_id
    finally:
        await rest.close()


async def founded(rest: Rest, suite: Suite) -> tuple[Member, str]:
    """Answers the owner of a new enterprise, acting for it, and its path."""
    owner = await stranger(suite)
    body = {"displayName": "Hooked", "slug": f"hooked-{uuid.uuid4().hex[:12]}"}
    made = await post(rest, owner, "/v1/enterprises", body)
    await owner.act(rest, made["accountId"])
    return owner, f"/v1/enterprises/{made['enterprise']['id']}"


async def record(rest: Rest, suite: Suite, owner: Member, path: str, session_id: str, frame_id: str) -> None:
    """Records one frame, as the enterprise's websocket server does."""
    wanted = {"displayName": "recorder", "scopes": ["sessions.record"]}
    made = await post(rest, owner, f"{path}/serviceCredentials", wanted)
    ticket = (await post(rest, owner, f"/v1/chatSessions/{session_id}:connect", {}))["ticket"]
    async with httpx.AsyncClient(base_url=rest.base, trust_env=False) as gateway:
        tokens = service_tokens(gateway, made["credential"]["id"], made["secret"])
        async with (
            Recorder(suite.plan.address("sessions"), tokens) as recorder,
            await recorder.attach(Opening(ticket)) as recording,
        ):
            usage = token_usage(read=1000, wrote=100)
            await recording.send("assistant", {"content": "Hello."}, frame_id=frame_id, usage=usage)


async def post(rest: Rest, who: Member, path: str, body: Mapping[str, object]) -> dict[str, Any]:
    """Answers what a call by the member answers."""
    answer: dict[str, Any] = await rest.call("POST", path, token=who.access_token, body=body)
    return answer


def bodies(receiver: web.WebServer) -> list[dict[str, Any]]:
    """Answers what was delivered so far."""
    return [json.loads(request.body) for request in receiver.requests]
