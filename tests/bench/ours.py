"""Our sessions service, whole, with callers whose rights are known without asking peers."""

from __future__ import annotations

import asyncio
import base64
import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from joserfc.jwk import OKPKey

from chassis.clock import Clock
from chassis.database.roles import Urls
from chassis.service import Parts, Runtime, start
from chassis.settings import ServiceSettings
from chassis.testing.callers import Callers
from services.sessions.main import wire
from services.sessions.settings import SessionsSettings
from tests.bench.floors import say
from wrtn.sessions.v1 import chat_sessions_pb2 as chats
from wrtn.sessions.v1.chat_sessions_pb2_grpc import ChatSessionServiceStub
from wrtn.sessions.v1.recorder_pb2 import OpenConnectionRequest
from wrtn.sessions.v1.recorder_pb2_grpc import RecorderServiceStub

S = TypeVar("S", bound=ServiceSettings)
AT_ONCE = 8
"""How many connections are opened at once; fewer than the service has to the database."""


async def sessions(urls: Urls, nats_url: str, folder: Path, count: int) -> None:
    """Serves; says the port, a credential's token, and the ids of `count` open connections."""
    callers = Callers(Clock(), folder / "peers")
    settings = keyed(
        SessionsSettings, "sessions", urls, nats_url, folder, blob_url=(folder / "blobs").as_uri()
    )

    def wired(runtime: Runtime[SessionsSettings]) -> Parts:
        return replace(
            wire(runtime),
            principals_source=callers.principal,
            access_source=callers.access,
            jwks_source=callers.jwks,
        )

    async with start("sessions", settings, wired) as running:
        channel = running.channel()
        credential = callers.credential("sessions.record")
        chat, record = ChatSessionServiceStub(channel), RecorderServiceStub(channel)
        turn = asyncio.Semaphore(AT_ONCE)

        async def connection() -> str:
            async with turn:
                member = callers.member()
                created = await chat.CreateChatSession(
                    chats.CreateChatSessionRequest(model="openai/gpt-4.1"), metadata=member.metadata
                )
                asked = chats.ConnectChatSessionRequest(chat_session_id=created.id)
                ticket = (await chat.ConnectChatSession(asked, metadata=member.metadata)).ticket
                opening = OpenConnectionRequest(ticket=ticket)
                return (await record.OpenConnection(opening, metadata=credential.metadata)).connection_id

        # One by one, a thousand outlast the credential's token on a busy machine.
        connections = await asyncio.gather(*(connection() for _ in range(count)))
        found = {"port": running.port, "token": credential.bearer, "connections": connections}
        say(found | {"pid": os.getpid()})
        await asyncio.Event().wait()


def keyed(kind: type[S], service: str, urls: Urls, nats_url: str, folder: Path, **own: Any) -> S:
    """Makes the keys of a service and answers its settings."""
    (folder / "peers").mkdir(parents=True, exist_ok=True)
    key = OKPKey.generate_key("Ed25519")
    (folder / "peers" / f"{service}.pem").write_bytes(key.as_pem(private=False))
    (folder / "peer.pem").write_bytes(key.as_pem(private=True))
    (folder / "key").write_text(base64.b64encode(os.urandom(32)).decode())
    peers = [each.name for each in fields(kind) if each.name.endswith("_address")]
    nowhere: dict[str, Any] = dict.fromkeys(peers, "127.0.0.1:1")
    listening = {"grpc_address": "127.0.0.1:0", "metrics_address": "127.0.0.1:0"}
    return kind(
        **(nowhere | listening),
        database_url=urls.app,
        database_worker_url=urls.worker,
        nats_url=nats_url,
        key_file=folder / "key",
        peer_key_file=folder / "peer.pem",
        peer_keys_dir=folder / "peers",
        production=True,
        log_level="WARNING",
        **own,
    )
