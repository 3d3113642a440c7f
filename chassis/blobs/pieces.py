"""How a blob is encrypted: in pieces of one size, each bound to its blob, its place, and whether it is last.

So a blob is written and read in a few pieces of memory, and pieces that were exchanged, left out or cut
off at the end do not decrypt.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from chassis.crypto import DataKey

PIECE = 256 * 1024
"""Bytes of plain text in a piece; the last one is shorter, or empty."""

SEALED = PIECE + 33
"""Bytes of an encrypted piece: header 5, nonce 12, tag 16."""

_PURPOSE = "wrtn_blobs"


async def sealed(parts: AsyncIterator[bytes], key: DataKey, name: str) -> AsyncIterator[bytes]:
    """Encrypts a stream of any parts into pieces."""
    place = 0
    async for piece, last in _cut(parts, PIECE):
        yield key.encrypt(piece, _PURPOSE, name, str(place), _end(last=last))
        place += 1


async def opened(parts: AsyncIterator[bytes], key: DataKey, name: str) -> AsyncIterator[bytes]:
    """Decrypts a stream of pieces, in whatever parts it comes. Raises DecryptionFailed."""
    place = 0
    async for piece, last in _cut(parts, SEALED):
        yield key.decrypt(piece, _PURPOSE, name, str(place), _end(last=last))
        place += 1


def _end(*, last: bool) -> str:
    return "last" if last else "more"


async def _cut(parts: AsyncIterator[bytes], size: int) -> AsyncIterator[tuple[bytes, bool]]:
    """Cuts a stream into pieces of this size; the last may be shorter, and there always is one."""
    rest = bytearray()
    async for part in parts:
        rest += part
        while len(rest) > size:
            yield bytes(rest[:size]), False
            del rest[:size]
    yield bytes(rest), True
