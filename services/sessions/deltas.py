"""Pieces of answers that are being written: sealed for those who watch, never stored, held to a rate."""

from __future__ import annotations

import time

from chassis.crypto import DataKey
from services.sessions.errors import TooManyDeltas
from wrtn.sessions.v1.recorder_pb2 import Delta

PIECES_A_SECOND = 100
BYTES_A_SECOND = 128 * 1024
_BURST_SECONDS = 2.0

_PLACE = "delta"


def seal(key: DataKey, session_id: str, delta: Delta) -> bytes:
    """Encrypts a piece for the watchers of its session: the broker is not told what is said."""
    return key.encrypt(delta.SerializeToString(), _PLACE, session_id)


def unseal(key: DataKey, session_id: str, sealed: bytes) -> Delta:
    """Decrypts what `seal` encrypted; DecryptionFailed for a piece of another session or tenant."""
    return Delta.FromString(key.decrypt(sealed, _PLACE, session_id))


class Allowance:
    """What one stream may still send: it fills by the second, up to two seconds' worth."""

    __slots__ = ("_bytes", "_pieces", "_since")

    def __init__(self) -> None:
        self._pieces = PIECES_A_SECOND * _BURST_SECONDS
        self._bytes = BYTES_A_SECOND * _BURST_SECONDS
        self._since = time.monotonic()

    def spend(self, size: int) -> None:
        """Takes a piece of that many bytes; raises TooManyDeltas if it is not there to be taken."""
        now = time.monotonic()
        passed, self._since = now - self._since, now
        self._pieces = min(self._pieces + passed * PIECES_A_SECOND, PIECES_A_SECOND * _BURST_SECONDS)
        self._bytes = min(self._bytes + passed * BYTES_A_SECOND, BYTES_A_SECOND * _BURST_SECONDS)
        if self._pieces < 1 or self._bytes < size:
            raise TooManyDeltas
        self._pieces -= 1
        self._bytes -= size
