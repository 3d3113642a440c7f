"""Passwords: which are refused, and the hashing, which is slow on purpose and so kept off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

from services.identity.errors import PasswordChecksBusy, PasswordTooWeak

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""Argon2id with 19 MiB, two passes, one lane: the OWASP password storage cheat sheet of 2025."""
_WEIGHED = 72
"""Characters that are weighed; the search for patterns takes longer than linear time."""
_LEAST_SCORE = 2
"""zxcvbn's score from 0 to 4: below 2 a million guesses find the password."""

R = TypeVar("R")


def check_strength(password: str, known: Iterable[str]) -> None:
    """Raises PasswordTooWeak for what is common or derived from `known`: the name and the address."""
    hints = [word for text in known for word in (*text.replace("@", " ").split(), "".join(text.split()))]
    if zxcvbn(password[:_WEIGHED], hints)["score"] < _LEAST_SCORE:
        raise PasswordTooWeak("The password is too easily guessed.", field="password")


class Passwords:
    """Hashes and verifies in a few threads; each needs 19 MiB while it works.

    At most `waiting` callers wait: one more gets PasswordChecksBusy, early instead of too late.
    """

    def __init__(self, *, threads: int = 2, waiting: int = 256) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="passwords")
        self._most = threads + waiting
        self._busy = 0
        # No password has this hash's; verifying against it takes the time of a real one.
        self._nobody = _HASHER.hash("nobody")

    async def check_strength(self, password: str, *known: str) -> None:
        """Raises PasswordTooWeak; `known` is the name and the address."""
        await self._aside(lambda: check_strength(password, known))

    async def hash(self, password: str) -> str:
        """Answers the password's hash."""
        return await self._aside(lambda: _HASHER.hash(password))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Says whether the password is right; takes the same time where there is no hash at all."""
        right = await self._aside(lambda: _matches(password_hash or self._nobody, password))
        return right and password_hash is not None

    def outdated(self, password_hash: str) -> bool:
        """Says whether the hash was made with other parameters than are used today."""
        return _HASHER.check_needs_rehash(password_hash)

    async def start(self) -> None:
        """Begins nothing: the threads start with the first password."""

    async def stop(self) -> None:
        """Ends the threads; what waits is not begun."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _aside(self, work: Callable[[], R]) -> R:
        if self._busy >= self._most:
            raise PasswordChecksBusy("Too many sign in at this moment; try again.", retry_after=2)
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._busy -= 1


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
