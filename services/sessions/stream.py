"""One Attach stream: frames come up, acks and rejections go down, and both ways there is a bound."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any

import grpc

from chassis import telemetry
from chassis.errors import DomainError, to_status
from chassis.rpc.validation import check_constraints
from services.sessions.authorities import Authorities
from services.sessions.authority import Authority
from services.sessions.committer import Committer
from services.sessions.convert import timestamp
from services.sessions.deltas import Allowance
from services.sessions.errors import AcksUnread, FateUnknown, NotGranted, OpenFirst, RightRevoked
from services.sessions.frames import Line, Outcome, Pending, Recorded, prepare
from services.sessions.tails import Tails
from wrtn.sessions.v1.recorder_pb2 import (
    Ack,
    AttachRequest,
    AttachResponse,
    Control,
    Delta,
    Frame,
    Opened,
    Rejection,
)

Context = grpc.aio.ServicerContext[AttachRequest, AttachResponse]

WINDOW_BYTES = 4 * 1024 * 1024
"""Bytes of one stream that may be on their way to the disk; it is read no further meanwhile."""


class Stream:
    """Serves one stream after its opening, until its client has done, leaves, or has to go.

    At most `window` answers are owed at any time: a client that sends on without reading them is not
    read any more, and `expire` ends it when it does not read for too long.
    """

    def __init__(
        self,
        context: Context,
        authority: Authority,
        authorities: Authorities,
        committer: Committer,
        tails: Tails,
        window: int,
    ) -> None:
        self.authority = authority
        self._context = context
        self._authorities = authorities
        self._committer = committer
        self._tails = tails
        self._allowance = Allowance()
        self._window = window
        self._traceparent = telemetry.traceparent()
        self._line = Line()
        self._reader: asyncio.Task[None] | None = None
        self._answers: deque[AttachResponse] = deque()
        self._owed = 0
        self._storing = 0
        self._bytes = 0
        self._changed = asyncio.Event()
        self._stored = asyncio.Event()
        self._stored.set()
        self._room = asyncio.Event()
        self._room.set()
        self._done = False
        self._control: Control.Kind.ValueType | None = None
        self._failure: BaseException | None = None
        self._expired = False
        self._writing_since: float | None = None

    async def run(self, opened: Opened) -> None:
        """Tells the client that the connection is open, and serves it. Raises what ends the stream early."""
        self._reader = reader = asyncio.create_task(self._read())
        reader.add_done_callback(self._read_all)
        try:
            await self._write(AttachResponse(opened=opened))
            await self._answer(reader)
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    def tell(self, kind: Control.Kind.ValueType) -> None:
        """Ends the stream with this word to its client, once what it sent so far is answered."""
        if self._control is None:
            self._control = kind
            self._changed.set()

    def expire(self, unread_seconds: float) -> bool:
        """Gives the stream up if its client has read nothing for so long; says whether it did so now.

        The write that is under way cannot be taken back, and no status goes out before it: the client is
        told why once it reads again, and until then it costs no more than that one message.
        """
        since = self._writing_since
        if self._expired or since is None or time.monotonic() - since < unread_seconds:
            return False
        self._expired = True
        self._answers.clear()
        if self._reader is not None:
            self._reader.cancel()
        return True

    async def settled(self) -> None:
        """Waits until the fate of every frame that was read is known."""
        await self._stored.wait()

    async def _read(self) -> None:
        while True:
            await self._room.wait()
            request: Any = await self._context.read()
            if request is grpc.aio.EOF:
                return
            kind = request.WhichOneof("message")
            if kind not in ("frame", "delta"):
                raise OpenFirst
            try:
                if kind == "frame":
                    await self._accept(request.frame)
                else:
                    await self._show(request.delta)
            except (RightRevoked, NotGranted):
                self.tell(Control.KIND_RIGHT_REVOKED)
                return
            except DomainError as error:
                self._say(AttachResponse(rejection=_refused(request, error)))

    async def _accept(self, frame: Frame) -> None:
        """Checks a frame and hands it on. Raises a domain error that becomes its rejection."""
        check_constraints(frame)
        await self._renew()
        await self._authorities.admit(self.authority, frame.model)
        while self._committer.full:
            await self._committer.room()
        pending = prepare(frame, self.authority, self._settle, self._traceparent, self._line)
        self._committer.submit(pending)
        self._storing += 1
        self._bytes += len(pending.sealed)
        self._stored.clear()
        self._weigh(1)

    async def _show(self, delta: Delta) -> None:
        """Shows a piece of an answer to whoever watches. Raises a domain error that becomes its rejection."""
        check_constraints(delta)
        self._allowance.spend(len(delta.text.encode()))
        await self._renew()
        await self._tails.write(self.authority, delta)

    async def _renew(self) -> None:
        if time.monotonic() >= self.authority.fresh_until:
            await self._authorities.renew(self.authority)

    def _settle(self, pending: Pending, outcome: Outcome) -> None:
        self._storing -= 1
        self._bytes -= len(pending.sealed)
        if not self._storing:
            self._stored.set()
        self._weigh(-1)
        if isinstance(outcome, Recorded):
            ack = Ack(
                history_id=pending.sent_id,
                sequence=outcome.sequence,
                create_time=timestamp(outcome.create_time),
            )
            self._say(AttachResponse(ack=ack))
        else:
            self._say(AttachResponse(rejection=_rejection(pending.sent_id, outcome)))

    def _say(self, answer: AttachResponse) -> None:
        self._answers.append(answer)
        self._weigh(1)
        self._changed.set()

    def _weigh(self, answers: int) -> None:
        self._owed += answers
        if self._owed >= self._window or self._bytes >= WINDOW_BYTES:
            self._room.clear()
        else:
            self._room.set()

    def _read_all(self, reader: asyncio.Task[None]) -> None:
        self._done = True
        if not reader.cancelled():
            self._failure = reader.exception()
        self._changed.set()

    async def _answer(self, reader: asyncio.Task[None]) -> None:
        """Writes answers until there are none to come: the client has done, or has to go."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._answers:
                await self._write(self._answers.popleft())
                self._weigh(-1)
            if self._control is not None or self._line.broken:
                reader.cancel()
            if self._done and not self._storing and not self._answers:
                break
        if self._control is not None:
            await self._write(AttachResponse(control=Control(kind=self._control)))
        elif self._line.broken:
            raise FateUnknown
        elif self._failure is not None:
            raise self._failure

    async def _write(self, answer: AttachResponse) -> None:
        self._writing_since = time.monotonic()
        await self._context.write(answer)
        self._writing_since = None
        if self._expired:
            raise AcksUnread


def _refused(request: AttachRequest, error: DomainError) -> Rejection:
    if request.HasField("delta"):
        return Rejection(history_id=request.delta.history_id, status=to_status(error), delta=True)
    return _rejection(request.frame.id, error)


def _rejection(history_id: str, error: DomainError) -> Rejection:
    return Rejection(history_id=history_id, status=to_status(error))
