"""Fixed windows in this process's memory, as a storage of the `limits` package.

The package's own memory storage runs a task that looks for expired keys every 10 ms and takes three times
as long for a hit; this one looks for them only when there are many.
"""

from __future__ import annotations

import time
from typing import ClassVar

from limits.aio.storage import Storage

_MANY = 4096


class WindowStorage(Storage):
    """Counts by key; a window begins with its first hit. Address: `async+windows://`."""

    STORAGE_SCHEME = ["async+windows"]  # noqa: RUF012  (the base class declares it so)
    base_exceptions: ClassVar[tuple[type[Exception], ...]] = ()

    def __init__(
        self, uri: str | None = None, wrap_exceptions: bool = False, **_: float | str | bool
    ) -> None:
        super().__init__(uri, wrap_exceptions)
        self._windows: dict[str, tuple[int, float]] = {}
        self._purge_at = _MANY

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Counts `amount` more in the window of `expiry` seconds; answers the count."""
        return self.count(key, expiry, amount)

    def count(self, key: str, expiry: float, amount: int = 1) -> int:
        """Does what `incr` does, without the cost of awaiting it."""
        now = time.time()
        count, ends = self._windows.get(key, (0, 0.0))
        if ends <= now:
            count, ends = 0, now + expiry
            if len(self._windows) >= self._purge_at:
                self._purge(now)
        self._windows[key] = (count + amount, ends)
        return count + amount

    def _purge(self, now: float) -> None:
        self._windows = {key: window for key, window in self._windows.items() if window[1] > now}
        self._purge_at = max(_MANY, 2 * len(self._windows))

    async def get(self, key: str) -> int:
        """Answers the count of the running window."""
        count, ends = self._windows.get(key, (0, 0.0))
        return count if ends > time.time() else 0

    async def get_expiry(self, key: str) -> float:
        """Answers when the window ends, in seconds since 1970."""
        return self._windows.get(key, (0, time.time()))[1]

    async def check(self) -> bool:
        """Memory is always there."""
        return True

    async def reset(self) -> int:
        """Forgets everything; answers how much that was."""
        count = len(self._windows)
        self._windows.clear()
        return count

    async def clear(self, key: str) -> None:
        """Forgets one key."""
        self._windows.pop(key, None)
