"""A browser talks to the example websocket server, which records in the suite as a customer's server does."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from chassis.testing.waiting import until
from protos import typescript
from tests.e2e.callers import staff
from tests.e2e.suite import Suite
from tests.replay.people import Member
from tests.replay.rest import Refused, Rest
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_ADMINISTRATOR

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

START_SECONDS = 30


@dataclass
class Talk:
    """A member with a chat session, and where the websocket server listens."""

    rest: Rest
    member: Member
    session_id: str
    url: str

    async def call(self, method: str, path: str = "") -> Any:
        return await self.rest.call(
            method, f"/v1/chatSessions/{self.session_id}{path}", token=self.member.access_token
        )

    async def ticket(self) -> str:
        answer = await self.rest.call(
            "POST", f"/v1/chatSessions/{self.session_id}:connect", token=self.member.access_token, body={}
        )
        return str(answer["ticket"])

    async def open(self) -> ClientConnection:
        return await connect(f"{self.url}/?ticket={await self.ticket()}")


@pytest.fixture(scope="module")
def credential(suite: Suite) -> tuple[str, str]:
    """A platform-wide service credential, as an operator makes one."""
    ran = suite.admin("create-credential", "--platform", "--name", "websocket", "--scope", "sessions.record")
    found = re.findall(r"(?:credential|secret):?\s+(\S+)", ran)
    assert len(found) == 2, ran
    return found[0], found[1]


@pytest.fixture(scope="module")
def server(
    suite: Suite, credential: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The example, running on a free port; answers its address."""
    typescript.main()
    node, _ = typescript.node_and_npm()
    output = tmp_path_factory.mktemp("websocket") / "output.txt"
    environ = {
        **suite.environ,
        "PORT": "0",
        "WRTN_SESSIONS_ADDRESS": suite.plan.address("sessions"),
        "WRTN_BILLING_ADDRESS": suite.plan.address("billing"),
        "WRTN_GATEWAY_URL": suite.plan.url("gateway"),
        "WRTN_CREDENTIAL_ID": credential[0],
        "WRTN_CREDENTIAL_SECRET": credential[1],
    }
    with (
        output.open("wb") as file,
        subprocess.Popen(
            [*node, "dist/example/server.js"],
            cwd=typescript.CLIENT,
            env=environ,
            stdout=file,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        yield listening(output, process)
        process.terminate()
        assert process.wait(START_SECONDS) == 0, output.read_text()


def listening(output: Path, process: subprocess.Popen[bytes]) -> str:
    """Answers the address that the server prints."""
    deadline = time.monotonic() + START_SECONDS
    while not (found := re.search(r"ws://\S+", output.read_text())):
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found[0]


@pytest.fixture(scope="module")
def boss(suite: Suite) -> Member:
    """An administrator."""
    return staff(suite)[STAFF_RIGHT_ADMINISTRATOR]


@pytest.fixture
async def talk(suite: Suite, server: str, boss: Member) -> AsyncIterator[Talk]:
    """A new member with a chat session of their own."""
    rest = Rest(suite.plan.url("gateway"))
    run = uuid.uuid4().hex
    member = Member(f"browser.{run[:12]}@example.com", f"{run}-password", "Bea Browser")
    await member.join(rest, suite.plan.url("mail"), run)
    await credited(rest, member, boss)
    made = await rest.call(
        "POST", "/v1/chatSessions", token=member.access_token, body={"model": "openai/gpt-4.1"}
    )
    yield Talk(rest, member, made["id"], server)
    await rest.close()


async def credited(rest: Rest, member: Member, boss: Member) -> None:
    """Has an administrator give credits: a personal account pays in advance."""
    accounts = (await rest.call("GET", "/v1/accounts", token=member.access_token))["accounts"]
    body = {"amount": "1", "currency": "USD", "reason": "to talk"}

    async def given() -> Any:
        try:
            path = f"/v1/wallets/{accounts[0]['id']}:addBonus"
            return await rest.call("POST", path, token=boss.access_token, body=body)
        except Refused as refused:
            # Billing may not have heard of the account yet.
            if refused.status != 404:
                raise
            return None

    await until(given)


async def turn(socket: ClientConnection, text: str) -> tuple[str, dict[str, Any]]:
    """Says something; answers the deltas joined, and what the server says at the end."""
    await socket.send(json.dumps({"text": text}))
    deltas = ""
    while "delta" in (message := json.loads(await asyncio.wait_for(socket.recv(), START_SECONDS))):
        deltas += message["delta"]
    return deltas, message


async def test_what_a_browser_says_and_hears_is_recorded(talk: Talk) -> None:
    async with await talk.open() as socket:
        assert await turn(socket, "hello there") == ("hello there", {"text": "hello there", "sequence": 2})
        assert await turn(socket, "and again") == ("and again", {"text": "and again", "sequence": 4})
    histories = (await talk.call("GET", "/histories"))["histories"]
    assert [(each["type"], json.loads(each["body"])["text"]) for each in histories] == [
        ("user_message", "hello there"),
        ("assistant_message", "hello there"),
        ("user_message", "and again"),
        ("assistant_message", "and again"),
    ]
    assert json.loads(histories[1]["body"]) == {
        "text": "hello there",
        "finish_reason": "stop",
        "model": "openai/gpt-4.1",
    }
    usage = await talk.call("GET", "/tokenUsage")
    assert usage == {
        "total": 8,
        "input": {"total": 4, "cached": 0},
        "output": {"total": 4, "reasoning": 0, "accepted_prediction": 0, "rejected_prediction": 0},
    }


async def test_the_end_of_the_socket_ends_the_connection(talk: Talk) -> None:
    async with await talk.open() as socket:
        await turn(socket, "hello")
        (connection,) = (await talk.call("GET", "/connections"))["connections"]
        assert "disconnectTime" not in connection
        assert connection["client"].startswith("Python")
        assert connection["address"] == "127.0.0.1"

    async def ended() -> bool:
        return "disconnectTime" in (await talk.call("GET", "/connections"))["connections"][0]

    await until(ended)


async def test_a_ticket_lets_in_once(talk: Talk) -> None:
    ticket = await talk.ticket()
    async with connect(f"{talk.url}/?ticket={ticket}") as socket:
        await turn(socket, "hello")
    async with connect(f"{talk.url}/?ticket={ticket}") as socket:
        assert await closing(socket) == 4401


async def test_the_deletion_of_the_session_closes_the_socket(talk: Talk) -> None:
    async with await talk.open() as socket:
        await turn(socket, "hello")
        await talk.call("DELETE")
        assert await closing(socket) == 4403


async def test_who_watches_sees_the_answer_grow_and_then_the_history(talk: Talk) -> None:
    text = "one two three"
    async with watching(talk) as shown, await talk.open() as socket:
        assert (await anext(shown))["caughtUp"] == {"lastSequence": "0"}
        await turn(socket, text)
        seen = []
        while (message := await anext(shown)).get("history", {}).get("sequence") != "2":
            seen.append(message)
    answer = message["history"]
    pieces = [each["delta"] for each in seen if "delta" in each]
    assert {each["historyId"] for each in pieces} <= {answer["id"]}
    for each in pieces:
        assert text[int(each.get("position", 0)) :].startswith(each["text"])
    assert [each["history"]["type"] for each in seen if "history" in each] == ["user_message"]
    assert json.loads(answer["body"])["text"] == text


@asynccontextmanager
async def watching(talk: Talk) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """Watches as a browser does, by server-sent events; yields what is shown."""
    url = f"/v1/chatSessions/{talk.session_id}:watch"
    headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {talk.member.access_token}"}
    async with (
        httpx.AsyncClient(base_url=talk.rest.base, timeout=START_SECONDS, trust_env=False) as client,
        client.stream("GET", url, headers=headers) as response,
    ):
        assert response.headers["content-type"] == "text/event-stream"
        lines = response.aiter_lines()
        yield (json.loads(line.removeprefix("data: ")) async for line in lines if line.startswith("data: "))


async def test_a_budget_that_is_used_up_refuses_the_next_turn_in_words(talk: Talk) -> None:
    budget = await employed(talk, amount="0.00003")
    async with await talk.open() as socket:
        # Two tokens of input and two of output; the price of four more is not left.
        assert (await turn(socket, "hello there"))[1]["sequence"] == 2
        deltas, refused = await turn(socket, "and again")
        assert deltas == ""
        assert "budget of this enterprise does not cover it" in refused["error"]
        assert (await turn(socket, "once more"))[1] == refused
    histories = (await talk.call("GET", "/histories"))["histories"]
    assert [each["type"] for each in histories] == [
        "user_message",
        "assistant_message",
        *["user_message"] * 2,
    ]

    async def settled() -> Any:
        status = (await talk.rest.call("GET", budget, token=talk.member.access_token))["status"]
        return status if status["reserved"] == "0" else None

    # The usage named its reservation: what it cost stands in the place of what was held.
    assert (await until(settled))["spent"] == "0.00002"


async def test_a_run_of_a_procedure_is_valid_before_it_is_run_and_recorded_with_its_value(talk: Talk) -> None:
    enterprise_id = (await employed(talk, amount="1")).split("/")[3]
    run_id = await procedure_session(talk, enterprise_id, {"type": "object", "required": ["to"]})
    path = f"/v1/procedureSessions/{run_id}"
    connected = await talk.rest.call("POST", f"{path}:connect", token=talk.member.access_token, body={})
    async with await connect(f"{talk.url}/?ticket={connected['ticket']}") as socket:
        await socket.send(json.dumps({"arguments": {}}))
        refused = json.loads(await asyncio.wait_for(socket.recv(), START_SECONDS))
        assert "break the input form at /arguments" in refused["error"]
        await socket.send(json.dumps({"arguments": {"to": "ann"}}))
        answer = json.loads(await asyncio.wait_for(socket.recv(), START_SECONDS))
        assert answer == {"value": {"to": "ann"}, "sequence": 2}
    call = await talk.rest.call("GET", f"{path}/histories", token=talk.member.access_token)
    begun, done = call["histories"]
    assert [json.loads(each["body"]) for each in (begun, done)] == [
        {"arguments": {"to": "ann"}},
        {"arguments": {"to": "ann"}, "success": True, "value": {"to": "ann"}},
    ]
    assert ("units" in begun, done["units"]["requests"]) == (False, "1")


async def procedure_session(talk: Talk, enterprise_id: str, form: object) -> str:
    """Publishes a procedure in the enterprise and opens a session of it; answers the session's id."""
    path, token = f"/v1/enterprises/{enterprise_id}/procedures", talk.member.access_token
    body = {"code": "mail", "displayName": "Mail", "inputForm": json.dumps(form)}
    procedure = await talk.rest.call("POST", path, token=token, body=body)
    await talk.rest.call("POST", f"{path}/{procedure['id']}:publish", token=token, body={})
    asked = {"procedureId": procedure["id"]}
    made = await talk.rest.call("POST", "/v1/procedureSessions", token=token, body=asked)
    return str(made["id"])


async def employed(talk: Talk, amount: str) -> str:
    """Founds an enterprise with a budget, in which the talk goes on; answers the path of the budget."""
    rest, member = talk.rest, talk.member
    slug = f"budget-{uuid.uuid4().hex[:16]}"
    founding = {"displayName": "Budgeted", "slug": slug, "timeZone": "UTC"}
    made = await rest.call("POST", "/v1/enterprises", token=member.access_token, body=founding)
    await member.act(rest, made["accountId"])
    path = f"/v1/enterprises/{made['enterprise']['id']}/budgets"
    body = {"budget": {"period": "BUDGET_PERIOD_TOTAL", "amount": amount}}

    async def known() -> Any:
        try:
            return await rest.call("POST", path, token=member.access_token, body=body)
        except Refused as refused:
            # Billing may not have heard of the enterprise yet.
            if refused.status != 404:
                raise
            return None

    budget = await until(known)
    created = {"model": "openai/gpt-4.1"}
    session = await rest.call("POST", "/v1/chatSessions", token=member.access_token, body=created)
    talk.session_id = session["id"]
    return f"{path}/{budget['id']}"


async def closing(socket: ClientConnection) -> int:
    """Waits for the server to close; answers its code."""
    with pytest.raises(ConnectionClosed) as caught:
        await asyncio.wait_for(socket.recv(), START_SECONDS)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code
