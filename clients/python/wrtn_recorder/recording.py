"""One live connection being recorded, over every kind of break."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, Unpack

import grpc

from wrtn.sessions.v1.recorder_pb2 import (
    Ack,
    AttachRequest,
    AttachResponse,
    Control,
    Delta,
    OpenConnectionRequest,
    Opened,
    Rejection,
)

from .answer import Answer
from .errors import PASSING, Broken, EndReason, FrameRejected, RecordingEnded, TooManyPending
from .frames import Extras, frame_of
from .line import Line
from .tokens import Tokens
from .values import Bounds, Event, Opening, Stored

if TYPE_CHECKING:
    from wrtn.sessions.v1.recorder_pb2_grpc import RecorderServiceAsyncStub

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0
_PASSING = {code.value[0] for code in PASSING}
_ENDS: dict[Control.Kind.ValueType, EndReason] = {
    Control.KIND_SESSION_DELETED: "session_deleted",
    Control.KIND_RIGHT_REVOKED: "right_revoked",
    Control.KIND_ACCOUNT_TRANSFERRED: "account_transferred",
}


class _Pending(NamedTuple):
    request: AttachRequest
    fate: asyncio.Future[Stored]


class Recording:
    """One live connection being recorded. Frames are stored in the order in which they are sent, also over
    breaks: what was not acknowledged is sent again on a stream that resumes the connection.

    `told` hears of each event; it must not fail.
    """

    def __init__(
        self,
        stub: RecorderServiceAsyncStub,
        tokens: Tokens,
        bounds: Bounds,
        opening: Opening,
        told: Callable[[Event], None],
    ) -> None:
        self._stub = stub
        self._tokens = tokens
        self._bounds = bounds
        self._opening = opening
        self._told = told
        self._session: Opened | None = None
        self._pending: dict[str, _Pending] = {}
        self._line: Line | None = None
        """The stream of the moment."""
        self._live = False
        """Whether it is open, so that frames may go up."""
        self._closing = False
        self._fresh_token = False
        self._pause = FIRST_PAUSE_SECONDS
        self._broken_since: float | None = None
        self._end: RecordingEnded | None = None
        self._ended = asyncio.Event()
        self._opened = asyncio.Event()
        self._running = asyncio.create_task(self._run())

    async def opened(self) -> Opened:
        """Answers the session and its model once the connection is open.

        Raises RecordingEnded if it is refused.
        """
        await self._opened.wait()
        if self._session is None:
            raise self._end or RecordingEnded("closed", "the recording never opened")
        return self._session

    def send(self, kind: str, body: object, **extras: Unpack[Extras]) -> asyncio.Future[Stored]:
        """Sends a history; its future is done when it is durable, and need not be awaited before the next.

        `kind` is its type, as in "user_message", `body` a JSON value, Verbatim, or the message of a
        documented type (`ProcedureCall` for "procedure_call"; numbers in its arguments are doubles).

        Raises RecordingEnded, and TooManyPending if the service falls too far behind. The future raises
        FrameRejected if the service refuses it, and RecordingEnded if the recording ends before.
        """
        if self._end is not None:
            raise self._end
        if self._closing:
            raise RecordingEnded("closed", "the recording is closing")
        if len(self._pending) >= self._bounds.most_pending:
            raise TooManyPending(self._bounds.most_pending)
        frame = frame_of(kind, body, extras)
        if not self._pending and self._line is not None:
            self._line.heard = monotonic()
        pending = _Pending(AttachRequest(frame=frame), asyncio.get_running_loop().create_future())
        self._pending[frame.id] = pending
        self._up(pending.request)
        return pending.fate

    def answer(self) -> Answer:
        """Begins an answer: its pieces are shown to those who watch, until a history has its id."""
        return Answer(self._show)

    async def close(self) -> None:
        """Waits for the acknowledgements that are due and ends the connection."""
        self._closing = True
        self._finish_if_idle()
        await self._ended.wait()
        await self._running

    async def abort(self) -> None:
        """Ends at once, without a word to the service, as a crash would; what waits raises RecordingEnded."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    async def __aenter__(self) -> Recording:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _run(self) -> None:
        """Serves one stream after the other until the recording ends."""
        try:
            while True:
                fault = await self._attempt()
                self._lost(fault)
                if self._end is not None:
                    return
                self._told(Broken(str(fault or "the service ended the stream")))
                await self._rest()
        finally:
            self._finish(RecordingEnded("closed", "the recording was aborted"))

    async def _rest(self) -> None:
        """Waits for a moment, with jitter: a thousand recordings do not come back in the same instant."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pause * random.uniform(0.5, 1.5)):
                await self._ended.wait()
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)

    async def _attempt(self) -> Exception | None:
        """Serves one stream to its end; answers the fault that ended it, if one did."""
        try:
            token = await self._tokens(self._fresh_token)
        except OSError as fault:
            return fault
        if self._end is not None:
            return None
        self._line = line = Line(self._stub, token, self._request())
        try:
            return await line.serve(self._take, self._waits, self._bounds.silence)
        finally:
            self._live, self._line = False, None

    def _request(self) -> OpenConnectionRequest:
        request = OpenConnectionRequest(client=self._opening.client, address=self._opening.address)
        if self._session is not None:
            request.resumed_connection_id = self._session.connection_id
        else:
            request.ticket = self._opening.ticket
        return request

    def _waits(self) -> bool:
        """Whether the service owes an answer."""
        return bool(self._pending) or not self._live

    def _take(self, response: AttachResponse) -> bool:
        """Takes what is said; answers whether to read on. Raises Broken if the stream is of no use."""
        self._pause = FIRST_PAUSE_SECONDS
        match response.WhichOneof("message"):
            case "opened":
                self._begin(response.opened)
            case "ack":
                self._settle(response.ack)
            case "rejection":
                self._reject(response.rejection)
            case "control":
                self._hear(response.control)
        self._finish_if_idle()
        return self._end is None

    def _begin(self, opened: Opened) -> None:
        self._session = opened
        self._live, self._fresh_token = True, False
        for pending in self._pending.values():
            self._up(pending.request)
        if not self._pending:
            self._broken_since = None
        self._opened.set()
        self._told(opened)

    def _settle(self, ack: Ack) -> None:
        self._broken_since = None
        pending = self._pending.pop(ack.history_id, None)
        if pending is not None and not pending.fate.done():
            create_time = ack.create_time.ToDatetime(UTC)
            pending.fate.set_result(Stored(ack.history_id, ack.sequence, create_time))

    def _reject(self, rejection: Rejection) -> None:
        # A piece that is not shown is no loss: what counts is the history.
        if rejection.delta:
            return
        status = rejection.status
        if status.code in _PASSING:
            # Its fate is not known, or it may go through later: it stays, and is sent again in order.
            raise Broken(status.message)
        pending = self._pending.pop(rejection.history_id, None)
        if pending is not None and not pending.fate.done():
            pending.fate.set_exception(FrameRejected(rejection.history_id, status.code, status.message))

    def _hear(self, control: Control) -> None:
        self._told(control)
        why = _ENDS.get(control.kind)
        if why is not None:
            self._finish(RecordingEnded(why, f"the service ended the recording: {why}"))

    def _show(self, delta: Delta) -> None:
        if not self._closing:
            self._up(AttachRequest(delta=delta))

    def _up(self, request: AttachRequest) -> None:
        """Hands a request to the stream that is open, if one is."""
        if self._live and self._line is not None:
            self._line.write(request)

    def _finish_if_idle(self) -> None:
        if not self._closing or self._pending or self._end is not None:
            return
        if self._line is None:
            self._finish(RecordingEnded("closed", "closed while the service was away"))
        elif self._live:
            self._line.half_close()

    def _lost(self, fault: Exception | None) -> None:
        """Judges the end of a stream: by our half-close, by a fault after which we resume, or for good."""
        if self._end is not None:
            return
        if fault is None and self._closing and not self._pending:
            self._finish(RecordingEnded("closed", "the recording was closed"))
            return
        if isinstance(fault, grpc.aio.AioRpcError):
            # The service token may have ended before its time: once, another is asked for.
            if fault.code() is grpc.StatusCode.UNAUTHENTICATED and not self._fresh_token:
                self._fresh_token = True
            elif fault.code() not in PASSING:
                self._finish(RecordingEnded("refused", fault.details() or "", fault.code()))
                return
        if self._broken_since is None:
            self._broken_since = monotonic()
        elif monotonic() - self._broken_since > self._bounds.patience:
            self._finish(RecordingEnded("unreachable", f"the service could not be reached: {fault}"))

    def _finish(self, end: RecordingEnded) -> None:
        if self._end is not None:
            return
        self._end = end
        for pending in self._pending.values():
            if not pending.fate.done():
                pending.fate.set_exception(end)
        self._pending.clear()
        self._opened.set()
        self._ended.set()
        self._told(end)
