"""The floors: the least code over the same libraries that does each job, without anything of ours."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from typing import Any

import grpc
import psycopg
import uvloop
from google.protobuf import json_format
from granian.constants import Interfaces
from granian.server.embed import Server
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wrtn.sessions.v1 import chat_sessions_pb2 as chats
from wrtn.sessions.v1 import recorder_pb2 as recorder
from wrtn.sessions.v1.chat_sessions_pb2_grpc import ChatSessionServiceStub

CONNECTIONS = 10
MOST_A_COMMIT = 500
TABLE = "CREATE TABLE IF NOT EXISTS floor (id uuid PRIMARY KEY, type text NOT NULL, body text NOT NULL)"
INSERT = "INSERT INTO floor (id, type, body) VALUES (%s, %s, %s)"

Methods = dict[str, "grpc.RpcMethodHandler[Any, Any]"]
Connection = psycopg.AsyncConnection[tuple[Any, ...]]


class Inserting:
    """One INSERT and commit a call; a group of INSERTs and one commit on streams."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: asyncio.Queue[Connection] = asyncio.Queue()
        self._waiting: asyncio.Queue[tuple[recorder.Frame, asyncio.Future[None]]] = asyncio.Queue()

    async def prepare(self) -> None:
        """Opens the connections."""
        for _ in range(CONNECTIONS):
            connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True)
            await connection.execute(TABLE)
            await self._idle.put(connection)
        self._committing = asyncio.create_task(self._commit_groups())

    def handler(self) -> grpc.GenericRpcHandler:
        """Answers the two methods, under the names of ours."""
        append = grpc.unary_unary_rpc_method_handler(
            self.append, recorder.AppendHistoryRequest.FromString, recorder.Ack.SerializeToString
        )
        attach = grpc.stream_stream_rpc_method_handler(
            self.attach, recorder.AttachRequest.FromString, recorder.AttachResponse.SerializeToString
        )
        methods: Methods = {"AppendHistory": append, "Attach": attach}
        return grpc.method_handlers_generic_handler("wrtn.sessions.v1.RecorderService", methods)

    async def append(self, request: recorder.AppendHistoryRequest, context: Any) -> recorder.Ack:
        """Commits one row."""
        connection = await self._idle.get()
        try:
            await connection.execute(INSERT, (request.frame.id, request.frame.type, request.frame.body))
        finally:
            self._idle.put_nowait(connection)
        return recorder.Ack(history_id=request.frame.id)

    async def attach(
        self, request_iterator: AsyncIterator[recorder.AttachRequest], context: Any
    ) -> AsyncIterator[recorder.AttachResponse]:
        """Commits what waits together, and acks each row when it is durable."""
        acks: asyncio.Queue[recorder.Frame | None] = asyncio.Queue()

        async def read() -> None:
            async for request in request_iterator:
                frame = request.frame
                durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                durable.add_done_callback(lambda _, frame=frame: acks.put_nowait(frame))  # type: ignore[misc]
                self._waiting.put_nowait((frame, durable))

        reading = asyncio.create_task(read())
        while frame := await acks.get():
            yield recorder.AttachResponse(ack=recorder.Ack(history_id=frame.id))
        await reading

    async def _commit_groups(self) -> None:
        connection = await self._idle.get()
        while True:
            group = [await self._waiting.get()]
            while len(group) < MOST_A_COMMIT and not self._waiting.empty():
                group.append(self._waiting.get_nowait())
            async with connection.transaction(), connection.cursor() as cursor:
                await cursor.executemany(INSERT, [(frame.id, frame.type, frame.body) for frame, _ in group])
            for _, durable in group:
                durable.set_result(None)


class Canned:
    """Answers one session, and a page of fifty, from memory: the backend of the gateway and of its floor."""

    def __init__(self) -> None:
        sessions = [
            chats.ChatSession(
                id=f"0190a5b0-0000-7000-8000-{number:012d}",
                account_id="0190a5b0-0000-7000-8000-000000000001",
                model="openai/gpt-4.1",
                title="A conversation about Bernoulli numbers",
                create_time={"seconds": 1_790_000_000, "nanos": 123_456_000},  # type: ignore[arg-type]
                last_activity_time={"seconds": 1_790_000_100, "nanos": 5_000},  # type: ignore[arg-type]
            )
            for number in range(50)
        ]
        self._one = sessions[0]
        self._page = chats.ListChatSessionsResponse(chat_sessions=sessions, next_page_token="more")

    def handler(self) -> grpc.GenericRpcHandler:
        """Answers the two methods, under the names of ours."""
        one = grpc.unary_unary_rpc_method_handler(
            self.one, chats.GetChatSessionRequest.FromString, chats.ChatSession.SerializeToString
        )
        page = grpc.unary_unary_rpc_method_handler(
            self.page,
            chats.ListChatSessionsRequest.FromString,
            chats.ListChatSessionsResponse.SerializeToString,
        )
        methods: Methods = {"GetChatSession": one, "ListChatSessions": page}
        return grpc.method_handlers_generic_handler("wrtn.sessions.v1.ChatSessionService", methods)

    async def one(self, request: chats.GetChatSessionRequest, context: Any) -> chats.ChatSession:
        """Answers one session."""
        return self._one

    async def page(
        self, request: chats.ListChatSessionsRequest, context: Any
    ) -> chats.ListChatSessionsResponse:
        """Answers a page."""
        return self._page


async def inserting(url: str) -> None:
    """Serves the floor of both kinds of append."""
    servicer = Inserting(url)
    await servicer.prepare()
    await serve(servicer.handler())


async def canned() -> None:
    """Serves the backend of the REST bench."""
    await serve(Canned().handler())


async def serve(handler: grpc.GenericRpcHandler) -> None:
    """Serves on a free port, says which, and stays."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    say({"port": port, "pid": os.getpid()})
    await server.wait_for_termination()


async def rest(backend: str, port: int) -> None:
    """Serves the floor of the gateway: two routes by hand, on the server that the gateway uses."""
    channel = grpc.aio.insecure_channel(backend)
    stub = ChatSessionServiceStub(channel)

    def answer(message: Any) -> Response:
        return Response(json_format.MessageToJson(message, indent=None), media_type="application/json")

    async def one(request: Request) -> Response:
        asked = chats.GetChatSessionRequest(chat_session_id=request.path_params["chat_session_id"])
        return answer(await stub.GetChatSession(asked))

    async def page(request: Request) -> Response:
        asked = chats.ListChatSessionsRequest(page_size=int(request.query_params.get("pageSize", 0)))
        return answer(await stub.ListChatSessions(asked))

    routes = [Route("/v1/chatSessions/{chat_session_id}", one), Route("/v1/chatSessions", page)]
    server = Server(Starlette(routes=routes), address="127.0.0.1", port=port, interface=Interfaces.ASGI)
    say({"port": port})
    await server.serve()


def say(facts: dict[str, object]) -> None:
    """Tells the bench, on one line, that this process serves."""
    print(json.dumps(facts), flush=True)


def run(work: Any) -> None:
    """Runs a server to its end, on the loop that ours have."""
    uvloop.run(work)
