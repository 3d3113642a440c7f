"""Passwords: which are refused, and the hashing, which is slow on purpose and so kept off the event loop."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

from services.identity.errors import PasswordChecksBusy, PasswordTooWeak
from services.identity.mail.letters import PRODUCT

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""Argon2id with 19 MiB, two passes, one lane: the OWASP password storage cheat sheet of 2025."""
NICENESS = 10
"""By how much the threads that hash stand back behind the event loop: it gets a processor as it wakes."""
_SHORTEST = 8
_WEIGHED = 72
"""Characters that are weighed; the search for patterns takes longer than linear time."""
_LEAST_SCORE = 2
"""zxcvbn's score from 0 to 4: below 2 a million guesses find the password."""

R = TypeVar("R")


def check_strength(password: str, known: Iterable[str], field: str = "password") -> None:
    """Raises PasswordTooWeak for what is short, common or derived from `known`: the name and the addresses.

    After NIST SP 800-63B: any characters are good, and none are asked for.
    """
    plain = normalised(password)
    if len(plain) < _SHORTEST:
        raise PasswordTooWeak(f"The password has less than {_SHORTEST} characters.", field=field)
    hints = [word for text in (PRODUCT, *known) for word in _words(text)]
    if zxcvbn(plain[:_WEIGHED], hints)["score"] < _LEAST_SCORE:
        raise PasswordTooWeak("The password is too easily guessed; make it longer.", field=field)


def normalised(password: str) -> str:
    """Answers the form that is hashed: the same, however a keyboard composes its characters (NFKC)."""
    return unicodedata.normalize("NFKC", password)


def _words(text: str) -> Iterable[str]:
    """Answers what somebody might make a password of: the text, its parts, its words, and these joined."""
    words = [word for word in re.split(r"[\W_]+", text) if word]
    return {text, *text.replace("@", " ").split(), "".join(words), *words}


def threads_beside(cores: int) -> int:
    """Answers how many may hash at once: two at most, and a core is left to everything else."""
    return max(1, min(2, cores - 1))


def _stand_back() -> None:
    """Lowers the priority of this thread. Elsewhere than on Linux it would be the process' own."""
    if sys.platform == "linux":
        os.nice(NICENESS)


class Passwords:
    """Hashes and verifies in a few threads, in the order of arrival; each needs 19 MiB while it works.

    At most `waiting` callers wait: one more gets PasswordChecksBusy, early instead of too late.
    """

    def __init__(
        self, hasher: PasswordHasher = HASHER, *, threads: int | None = None, waiting: int = 256
    ) -> None:
        self._hasher = hasher
        threads = threads or threads_beside(os.cpu_count() or 1)
        self._threads = ThreadPoolExecutor(threads, "passwords", initializer=_stand_back)
        self._most = threads + waiting
        self._busy = 0
        # No password has this hash's; verifying against it takes the time of a real one.
        self._nobody = hasher.hash("nobody")

    async def check_strength(self, password: str, *known: str, field: str = "password") -> None:
        """Raises PasswordTooWeak, naming the field; `known` is the name and the addresses."""
        await self._aside(lambda: check_strength(password, known, field))

    async def hash(self, password: str) -> str:
        """Answers the password's hash."""
        return await self._aside(lambda: self._hasher.hash(normalised(password)))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Says whether the password is right; takes the same time where there is none, or nobody."""
        right = await self._aside(lambda: self._matches(password_hash or self._nobody, password))
        return right and bool(password_hash)

    def outdated(self, password_hash: str) -> bool:
        """Says whether the hash was made with other parameters than are used today."""
        return self._hasher.check_needs_rehash(password_hash)

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

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, normalised(password))
        except (VerificationError, InvalidHashError):
            return False
