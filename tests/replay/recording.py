"""Records a conversation to its end, as a browser and its websocket server do together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import grpc

from clients.python.wrtn_recorder import (
    Opening,
    Recorder,
    Recording,
    RecordingEnded,
    Stored,
    Verbatim,
    token_usage,
)
from tests.replay.conversations import Frame

WINDOW = 64
"""How many frames may be on their way without an acknowledgement."""
PATIENCE_SECONDS = 120
ANEW = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.NOT_FOUND}
"""How a ticket is refused that an opening has used of which nobody heard, and a connection that is gone."""

Acked = Callable[[Frame, int], None]


async def record(
    recorder: Recorder, ticket: Callable[[], Awaitable[str]], frames: Sequence[Frame], acked: Acked
) -> None:
    """Records frames in order; returns when all are durable. `acked` is told each, once, with its sequence.

    A recording that was refused is begun anew, with another ticket. Raises FrameRejected if a frame is
    refused, RecordingEnded if none gets through for two minutes.
    """
    left = {frame.id: frame for frame in frames}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left:
        before = len(left)
        try:
            opening = Opening(await ticket(), client="replay", address="127.0.0.1")
            async with await recorder.attach(opening) as recording:
                await _send(recording, left, acked)
        except RecordingEnded as end:
            if end.code not in ANEW or time.monotonic() > deadline:
                raise
        if len(left) < before:
            deadline = time.monotonic() + PATIENCE_SECONDS


async def _send(recording: Recording, left: dict[str, Frame], acked: Acked) -> None:
    """Sends what is left, and takes off what is durable."""
    room = asyncio.Semaphore(WINDOW)

    def settled(fate: asyncio.Future[Stored]) -> None:
        room.release()
        if not fate.cancelled() and fate.exception() is None:
            stored = fate.result()
            acked(left.pop(stored.id), stored.sequence)

    fates = []
    for frame in list(left.values()):
        await room.acquire()
        usage = token_usage(read=frame.usage.input, wrote=frame.usage.output) if frame.usage else None
        fate = recording.send(frame.type, Verbatim(frame.body), frame_id=frame.id, usage=usage)
        fate.add_done_callback(settled)
        fates.append(fate)
    await asyncio.gather(*fates)
