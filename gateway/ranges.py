"""Byte ranges (RFC 9110, 14): one range a request; anything else is answered whole, as the RFC allows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gateway.problems import refused

_RANGE = re.compile(rb"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(slots=True)
class Window:
    """The part `start` to `stop` (exclusive) of `total` bytes that pass by in chunks."""

    start: int
    stop: int
    total: int
    _at: int = 0

    @property
    def header(self) -> tuple[bytes, bytes]:
        """Content-Range."""
        return b"content-range", b"bytes %d-%d/%d" % (self.start, self.stop - 1, self.total)

    @property
    def done(self) -> bool:
        """Whether everything that is wanted has passed."""
        return self._at >= self.stop

    def cut(self, chunk: bytes) -> bytes:
        """Answers what of the next chunk lies in the window."""
        begin, end = max(self.start - self._at, 0), max(self.stop - self._at, 0)
        self._at += len(chunk)
        return chunk[begin:end]


def window(header: bytes | None, total: int) -> Window | None:
    """Answers the window that a Range header asks for, None for the whole. Raises Problem (416)."""
    found = _RANGE.fullmatch(header.replace(b" ", b"")) if header else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        start, stop = max(total - int(found[2]), 0), total
    else:
        start, stop = int(found[1]), min(int(found[2]) + 1, total) if found[2] else total
        if found[2] and int(found[2]) < start:
            return None
    if start >= stop:
        close = [(b"content-range", b"bytes */%d" % total)]
        raise refused(416, "RANGE_NOT_SATISFIABLE", f"The range lies outside of the {total} bytes.", close)
    return Window(start, stop, total)
