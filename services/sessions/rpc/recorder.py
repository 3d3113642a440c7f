"""RecorderService: what a websocket server calls."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import grpc
from google.protobuf.empty_pb2 import Empty

from chassis import telemetry
from chassis.call import Caller, current
from chassis.errors import DomainError
from chassis.rpc.validation import validate
from services.sessions.authorities import Authorities
from services.sessions.closings import Closings
from services.sessions.committer import Committer
from services.sessions.connections import Doors
from services.sessions.convert import timestamp
from services.sessions.errors import ConnectionNotFound, OpenFirst, RecorderBusy
from services.sessions.frames import Line, Outcome, Pending, prepare
from services.sessions.live import Live
from services.sessions.processes import Heartbeat
from services.sessions.stream import Context, Stream
from services.sessions.tails import Tails
from wrtn.sessions.v1 import recorder_pb2 as pb
from wrtn.sessions.v1.recorder_pb2_grpc import RecorderServiceServicer

OPENING_SECONDS = 10.0


class Recorder(RecorderServiceServicer):
    """Streams and unary calls; both end in the one committer."""

    def __init__(
        self,
        doors: Doors,
        authorities: Authorities,
        committer: Committer,
        live: Live,
        closings: Closings,
        heartbeat: Heartbeat,
        tails: Tails,
        window: int,
    ) -> None:
        self._doors = doors
        self._authorities = authorities
        self._committer = committer
        self._live = live
        self._closings = closings
        self._heartbeat = heartbeat
        self._tails = tails
        self._window = window

    # A coroutine that writes to the context itself; the generated type knows generators alone.
    async def Attach(self, _requests: Any, context: Context) -> None:  # type: ignore[override]
        """Records one connection over its stream.

        Reads by `context.read()`, past the interceptor's validation: a bad frame ends no stream.
        """
        opened = await self._doors.open(await _opening(context), current().caller, self._heartbeat.process_id)
        stream = Stream(
            context, opened.authority, self._authorities, self._committer, self._tails, self._window
        )
        self._live.add(stream)
        try:
            await stream.run(opened.opened)
        finally:
            self._live.remove(stream)
            await self._closings.of(stream)

    async def OpenConnection(self, request: pb.OpenConnectionRequest, context: Any) -> pb.Opened:
        """Opens a connection that no stream carries: its end is told, and not seen."""
        return (await self._doors.open(request, current().caller, None)).opened

    async def AppendHistory(self, request: pb.AppendHistoryRequest, context: Any) -> pb.Ack:
        """Waits for its group commit like a frame of a stream; refused at once while too many wait."""
        if self._committer.full:
            raise RecorderBusy
        credential_id = _credential(current().caller)
        authority = await self._authorities.of(UUID(request.connection_id), credential_id)
        await self._authorities.admit(authority, request.frame.model)
        fate: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def settle(_: Pending, outcome: Outcome) -> None:
            if not fate.done():
                fate.set_result(outcome)

        self._committer.submit(prepare(request.frame, authority, settle, telemetry.traceparent(), Line()))
        outcome = await fate
        if isinstance(outcome, DomainError):
            raise outcome
        return pb.Ack(
            history_id=request.frame.id,
            sequence=outcome.sequence,
            create_time=timestamp(outcome.create_time),
        )

    async def CloseConnection(self, request: pb.CloseConnectionRequest, context: Any) -> Empty:
        """Closes the connection."""
        await self._doors.close(UUID(request.connection_id), _credential(current().caller))
        return Empty()


async def _opening(context: Context) -> pb.OpenConnectionRequest:
    """Reads the first message; raises OpenFirst if it opens nothing, or does not come."""
    try:
        async with asyncio.timeout(OPENING_SECONDS):
            first: Any = await context.read()
    except TimeoutError:
        raise OpenFirst from None
    if first is grpc.aio.EOF or first.WhichOneof("message") != "open":
        raise OpenFirst
    validate(first)
    opening: pb.OpenConnectionRequest = first.open
    return opening


def _credential(caller: Caller) -> UUID:
    if caller.credential_id is None:
        raise ConnectionNotFound
    return caller.credential_id
