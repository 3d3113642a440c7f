"""A browser talks to the example websocket server, which records in the suite as a customer's server does."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from chassis.testing.waiting import until
from protos import typescript
from tests.e2e.suite import Suite
from tests.replay.people import Member
from tests.replay.rest import Rest

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


@pytest.fixture
async def talk(suite: Suite, server: str) -> AsyncIterator[Talk]:
    """A new member with a chat session of their own."""
    rest = Rest(suite.plan.url("gateway"))
    run = uuid.uuid4().hex
    member = Member(f"browser.{run[:12]}@example.com", f"{run}-password", "Bea Browser")
    await member.join(rest, suite.plan.url("mail"), run)
    made = await rest.call(
        "POST", "/v1/chatSessions", token=member.access_token, body={"model": "openai/gpt-4.1"}
    )
    yield Talk(rest, member, made["id"], server)
    await rest.close()


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


async def closing(socket: ClientConnection) -> int:
    """Waits for the server to close; answers its code."""
    with pytest.raises(ConnectionClosed) as caught:
        await asyncio.wait_for(socket.recv(), START_SECONDS)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code
