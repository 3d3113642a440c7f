"""Answers as they are being written, for those who watch."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable

from wrtn.sessions.v1.recorder_pb2 import Delta

PAUSE_SECONDS = 0.02
"""How long pieces gather before they are shown: the service takes 100 a second."""
PIECE = 4096
"""Characters in a piece; the service takes 16 KiB."""


class Answer:
    """An answer that is being written. What is written is shown to those who watch, and stored nowhere."""

    def __init__(self, show: Callable[[Delta], None]) -> None:
        self.id = str(uuid.uuid4())
        """The id of the history that replaces the pieces: `send` it with this one."""
        self._show = show
        self._waiting = ""
        self._position = 0
        self._timer: asyncio.TimerHandle | None = None

    def write(self, text: str) -> None:
        """Shows what comes next. Watchers may miss a piece, never the history."""
        self._waiting += text
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._flush)

    def _flush(self) -> None:
        self._timer = None
        waiting, self._waiting = self._waiting, ""
        for start in range(0, len(waiting), PIECE):
            text = waiting[start : start + PIECE]
            self._show(Delta(history_id=self.id, position=self._position, text=text))
            # Positions count as JavaScript does, in UTF-16.
            self._position += len(text.encode("utf-16-le")) // 2
