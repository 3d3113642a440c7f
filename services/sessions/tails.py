"""What replicas tell each other of sessions over core NATS: that they grew, and what is being written there.

None of it counts: whoever misses it finds the histories in the database a while later. No stream of JetStream
holds these subjects.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterator
from uuid import UUID

import structlog

from chassis.errors import Unavailable
from chassis.events.bus import Bus, Listener, Notice
from services.sessions import deltas
from services.sessions.authority import Authority
from wrtn.sessions.v1.recorder_pb2 import Delta

GROWN = "wrtn.live.sessions.grown"
"""Carries session and last sequence of each session that grew in some group commits, 24 bytes each."""

_ENTRY = struct.Struct(">16sq")
_MOST_ENTRIES = 2000
_log = structlog.get_logger(__name__)


def being_written(session_id: UUID) -> str:
    """Answers the subject of the sealed pieces of answers in a session."""
    return f"wrtn.live.sessions.{session_id}.delta"


class Tails:
    """Tells that sessions grew: this process at once, the others in the background, together."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._grown: dict[bytes, int] = {}
        self._some = asyncio.Event()
        self._here: Callable[[UUID, int], None] = lambda _session, _sequence: None
        self._anyone: Callable[[], bool] = lambda: False
        self._task: asyncio.Task[None] | None = None

    def on_growth(self, anyone: Callable[[], bool], grown: Callable[[UUID, int], None]) -> None:
        """Sets what says whether anyone watches here, and what is called with a session that grew."""
        self._anyone, self._here = anyone, grown

    async def start(self) -> None:
        """Begins to tell the other replicas."""
        self._task = asyncio.create_task(self._run(), name="tails")

    async def stop(self) -> None:
        """Ends."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def grew(self, session: bytes, sequence: int) -> None:
        """Notes that a session's last durable history has this sequence."""
        self._grown[session] = sequence
        self._some.set()
        if self._anyone():
            self._here(UUID(bytes=session), sequence)

    async def write(self, authority: Authority, delta: Delta) -> None:
        """Shows a piece of an answer to whoever watches now, in any replica; to nobody while NATS is away."""
        try:
            sealed = deltas.seal(authority.key, authority.session_text, delta)
            await self._bus.publish(being_written(authority.session_id), sealed)
        except Unavailable:
            _log.debug("a piece was shown to nobody")

    async def _run(self) -> None:
        while True:
            await self._some.wait()
            self._some.clear()
            grown, self._grown = self._grown, {}
            entries = [_ENTRY.pack(*each) for each in grown.items()]
            for start in range(0, len(entries), _MOST_ENTRIES):
                try:
                    await self._bus.publish(GROWN, b"".join(entries[start : start + _MOST_ENTRIES]))
                except Unavailable:
                    _log.debug("nobody was told that sessions grew")


def listen(bus: Bus, grown: Callable[[UUID, int], None]) -> Listener:
    """Hears of the sessions that grow in any replica."""

    def heard(notice: Notice) -> None:
        for session, sequence in _entries(notice.data):
            grown(UUID(bytes=session), sequence)

    return bus.listen(GROWN, heard)


def _entries(data: bytes) -> Iterator[tuple[bytes, int]]:
    return _ENTRY.iter_unpack(data[: len(data) - len(data) % _ENTRY.size])
