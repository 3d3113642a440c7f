"""Plays the conversations: many sessions at once, each by its employee over one Attach stream."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from clients.python.wrtn_recorder import Recorder
from tests.replay.conversations import Conversation, Frame
from tests.replay.journal import Journal
from tests.replay.people import Member
from tests.replay.recording import record
from tests.replay.rest import Refused, Rest
from tests.replay.world import Employee, World

# Priced in every release of the price list, with and without steps by context length.
MODELS = ("openai/gpt-4.1", "openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5", "google/gemini-2.5-flash")


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation as it was recorded: whose it is, with which model, under which id."""

    id: str
    conversation: Conversation
    employee: Employee
    model: str


@dataclass
class Player:
    """Plays conversations into a suite; `advance` is called with the number of newly durable frames."""

    rest: Rest
    recorder: Recorder
    world: World
    journal: Journal
    advance: Callable[[int], None]
    parallel: int

    async def play(self, conversations: list[Conversation]) -> list[Session]:
        """Plays all of them, `parallel` at a time; answers the sessions in their order."""
        room = asyncio.Semaphore(self.parallel)

        async def one(conversation: Conversation) -> Session:
            async with room:
                return await self._play(conversation)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(conversation)) for conversation in conversations]
        return [task.result() for task in tasks]

    async def _play(self, conversation: Conversation) -> Session:
        employee = self.world.employees[conversation.number % len(self.world.employees)]
        model = MODELS[conversation.number % len(MODELS)]
        session_id = await self._open(conversation, employee, model)
        left = [frame for frame in conversation.frames if frame.id not in self.journal.acks]
        self.advance(len(conversation.frames) - len(left))

        async def ticket() -> str:
            path = f"/v1/chatSessions/{session_id}:connect"
            answer = await as_member(self.rest, employee.member, "POST", path, {})
            return str(answer["ticket"])

        def acked(frame: Frame, sequence: int) -> None:
            self.journal.ack(frame.id, sequence)
            self.advance(1)

        await record(self.recorder, ticket, left, acked)
        return Session(session_id, conversation, employee, model)

    async def _open(self, conversation: Conversation, employee: Employee, model: str) -> str:
        body = {"model": model, "title": conversation.title}
        body |= {"teamId": employee.team_id} if employee.team_id else {}
        key = str(uuid.uuid5(self.journal.run, f"session/{conversation.number}"))
        answer = await as_member(self.rest, employee.member, "POST", "/v1/chatSessions", body, key)
        return str(answer["id"])


async def as_member(
    rest: Rest, member: Member, method: str, path: str, body: dict[str, str], key: str | None = None
) -> dict[str, object]:
    """Calls as a member, who signs in again when the access token has expired."""

    async def call() -> dict[str, object]:
        answer = await rest.call(method, path, token=member.access_token, key=key, body=body)
        assert isinstance(answer, dict)
        return answer

    return await signed_in(rest, member, call)


async def signed_in(
    rest: Rest, member: Member, call: Callable[[], Awaitable[dict[str, object]]]
) -> dict[str, object]:
    """Runs a call, once more with a fresh token if the old one was refused."""
    try:
        return await call()
    except Refused as refused:
        if refused.status != 401:
            raise
    await member.sign_in(rest)
    return await call()
