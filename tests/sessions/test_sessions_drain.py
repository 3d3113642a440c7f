"""A drain moves all streams to another replica and loses no frame: a hundred here, 1,000 in `make chaos`."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import grpc

from chassis.embedded.nats import Nats
from chassis.testing.callers import Callers
from chassis.testing.databases import ServiceDatabase
from chassis.testing.processes import environment, process
from chassis.testing.waiting import until
from clients.python.wrtn_recorder import Event, Opening, Recorder, Recording, Stored, token_usage
from tests.e2e.suite import free_ports
from tests.sessions.make import Session, Sessions, serving, settings
from wrtn.enterprise.v1.access_pb2_grpc import AccessServiceServicer, add_AccessServiceServicer_to_server
from wrtn.identity.v1.auth_pb2_grpc import AuthServiceServicer, add_AuthServiceServicer_to_server
from wrtn.identity.v1.principals_pb2_grpc import (
    PrincipalServiceServicer,
    add_PrincipalServiceServicer_to_server,
)
from wrtn.sessions.v1.recorder_pb2 import Control

T = TypeVar("T")
STREAMS = int(os.environ.get("WRTN_DRAINED_STREAMS", "100"))
STREAMS_A_SESSION = 20
AT_ONCE = 10
FRAMES = 4
"""How many a stream sends: half before the drain, half while it goes on."""


class Rights(PrincipalServiceServicer, AccessServiceServicer, AuthServiceServicer):
    """Identity and enterprise, as a process sees them that does not know the test's callers."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    async def ResolvePrincipal(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Answers who a caller is."""
        return await self._callers.principal(request)

    async def ResolveAccess(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Answers what an employee may do."""
        return await self._callers.access(request)

    async def GetJwks(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Answers the keys of the callers' tokens."""
        return await self._callers.jwks()


@asynccontextmanager
async def rights(callers: Callers) -> AsyncIterator[str]:
    """Serves them; answers where."""
    server, servicer = grpc.aio.server(), Rights(callers)  # type: ignore[abstract]
    add_PrincipalServiceServicer_to_server(servicer, server)
    add_AccessServiceServicer_to_server(servicer, server)
    add_AuthServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


@dataclass
class Writer:
    """A websocket server's connection: what it sent, and what it was told."""

    session: Session
    told: list[Event] = field(default_factory=list)
    sent: list[asyncio.Future[Stored]] = field(default_factory=list)

    async def attach(self, served: Sessions, recorder: Recorder) -> None:
        """Opens the recording."""
        opening = Opening(await served.ticket(self.session))
        self.recording: Recording = await recorder.attach(opening, told=self.told.append)

    def say(self, count: int) -> None:
        """Sends so many frames, without waiting for their acks."""
        for number in range(count):
            usage = token_usage(read=1, wrote=1)
            self.sent.append(self.recording.send("user_message", {"text": f"{number}"}, usage=usage))

    @property
    def drained(self) -> bool:
        """Whether it was told to go elsewhere, and nothing else."""
        kinds = {each.kind for each in self.told if isinstance(each, Control)}
        return kinds == {Control.KIND_SERVER_DRAINING}


async def some_at_once(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Does all of them, a few at a time; answers what each answered."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def done(work: Coroutine[Any, Any, T]) -> T:
        async with turn:
            return await work

    return await asyncio.gather(*map(done, works))


async def test_a_process_that_is_told_to_stop_moves_all_its_streams_and_every_frame_is_there_once(
    sessions_database: ServiceDatabase, nats: Nats, callers: Callers, tmp_path: Path
) -> None:
    port = free_ports()["WRTN_SESSIONS_PORT"]
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(serving(sessions_database, nats, callers, tmp_path))
        address = await stack.enter_async_context(rights(callers))
        chosen = replace(
            settings(sessions_database, nats.url, callers, tmp_path),
            grpc_address=f"127.0.0.1:{port}",
            identity_address=address,
            enterprise_address=address,
            log_level="WARNING",
            drain_seconds=60,
        )
        first = await stack.enter_async_context(process(environment(chosen), "services.sessions.main"))
        held = await some_at_once(other.session() for _ in range(STREAMS // STREAMS_A_SESSION))
        made = [Writer(session) for session in held for _ in range(STREAMS_A_SESSION)]

        async def bearer(_fresh: bool) -> str:
            return held[0].credential.bearer

        # The second address is that of the replica that stays.
        target = f"ipv4:127.0.0.1:{port},127.0.0.1:{other.running.port}"
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await channel.channel_ready()
        recorder = await stack.enter_async_context(Recorder(target, bearer))
        await some_at_once(each.attach(other, recorder) for each in made)
        # All streams are open on the process that will stop.
        await until(lambda: other.running.gate.load.running == 0)
        for each in made:
            each.say(FRAMES // 2)
        await until(lambda: any(future.done() for future in made[-1].sent))
        first.send_signal(signal.SIGTERM)
        for each in made:
            each.say(FRAMES - FRAMES // 2)
        assert await first.wait() == 0
        stored = [await asyncio.gather(*each.sent) for each in made]
        await until(lambda: all(each.drained for each in made))
        await asyncio.gather(*(each.recording.close() for each in made))
        await compare(other, made, stored)


async def compare(served: Sessions, made: list[Writer], stored: list[list[Stored]]) -> None:
    """Every frame is there once, in the order of its connection, and its usage is counted once."""
    acked: dict[str, Counter[tuple[str, int]]] = {each.session.id: Counter() for each in made}
    for writer, acks in zip(made, stored, strict=True):
        assert [each.sequence for each in acks] == sorted(each.sequence for each in acks)
        acked[writer.session.id].update((each.id, each.sequence) for each in acks)
    for session in {each.session.id: each.session for each in made}.values():
        histories = await served.histories(session)
        assert Counter((each.id, each.sequence) for each in histories) == acked[session.id]
        assert [each.sequence for each in histories] == list(range(1, len(histories) + 1))
        assert (await served.usage(session)).total == 2 * len(histories)
    assert len(await served.outbox("usage.recorded")) == STREAMS * FRAMES
