"""Time, ids and randomness: the one place that asks the machine for them."""

from __future__ import annotations

import os
import secrets
import threading
from datetime import UTC, datetime
from uuid import UUID

_NANOSECONDS_A_MILLISECOND = 1_000_000


class Clock:
    """Answers the time and makes ids and secrets. It is injected, so that tests can hold time still."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def now(self) -> datetime:
        """Answers the time in UTC, with its zone."""
        return datetime.now(UTC)

    def new_id(self) -> UUID:
        """Makes a UUID of version 7 (RFC 9562, method 3), rising within this process.

        48 bits of milliseconds, 12 bits of their fraction, 62 bits of chance. It spreads well in an index;
        it is never an order of facts.
        """
        with self._lock:
            self._last = max(_ticks(self.now()), self._last + 1)
            ticks = self._last
        chance = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
        return UUID(int=(ticks >> 12) << 80 | 0x7 << 76 | (ticks & 0xFFF) << 64 | 0b10 << 62 | chance)

    def secret(self, nbytes: int = 32) -> str:
        """Makes an unguessable text of `nbytes` bytes of chance, in URL-safe base64 without padding."""
        return secrets.token_urlsafe(nbytes)


def _ticks(moment: datetime) -> int:
    """Answers the milliseconds since 1970 and 12 bits of their fraction below, as one number."""
    nanoseconds = int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000
    milliseconds, rest = divmod(nanoseconds, _NANOSECONDS_A_MILLISECOND)
    return milliseconds << 12 | rest * 4096 // _NANOSECONDS_A_MILLISECOND
