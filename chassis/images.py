"""What an image is, told by its own bytes and never by what somebody says of it."""

from __future__ import annotations

from typing import Literal, NamedTuple

MOST_PIXELS = 1024
"""How wide and how high a small picture may be, such as a logo: a few kilobytes can unpack to gigabytes."""

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER = 24
_JPEG = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
# Start-of-frame markers, which carry the size; C4, C8 and CC are something else.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_RIFF, _WEBP = b"RIFF", b"WEBP"
_WEBP_HEADER = 30


class Image(NamedTuple):
    """The type of an image, and its size in pixels; zeros where the bytes tell none."""

    media_type: str
    width: int
    height: int

    @property
    def small(self) -> bool:
        """Whether it is a picture of MOST_PIXELS each way at most."""
        return 0 < self.width <= MOST_PIXELS and 0 < self.height <= MOST_PIXELS


def read(data: bytes) -> Image | None:
    """Answers what a PNG, a JPEG or a WebP is; None for anything else."""
    if data.startswith(_PNG) and data[12:16] == b"IHDR" and len(data) > _PNG_HEADER:
        return Image("image/png", _number(data[16:20]), _number(data[20:24]))
    if data.startswith(_JPEG) and data.rstrip(b"\0").endswith(_JPEG_END):
        return Image("image/jpeg", *_jpeg_size(data))
    if data[:4] == _RIFF and data[8:12] == _WEBP and len(data) >= _WEBP_HEADER:
        size = _webp_size(data)
        return Image("image/webp", *size) if size else None
    return None


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Answers width and height from the first frame; zeros if there is none."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAMES:
            return _number(data[at + 7 : at + 9]), _number(data[at + 5 : at + 7])
        at += 2 + max(2, _number(data[at + 2 : at + 4]))
    return 0, 0


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Answers width and height by the first chunk: lossy, lossless or extended; None for another one."""
    chunk = data[12:16]
    if chunk == b"VP8 ":
        return _number(data[26:28], "little") & 0x3FFF, _number(data[28:30], "little") & 0x3FFF
    if chunk == b"VP8L":
        bits = _number(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8X":
        return _number(data[24:27], "little") + 1, _number(data[27:30], "little") + 1
    return None


def _number(raw: bytes, order: Literal["big", "little"] = "big") -> int:
    return int.from_bytes(raw, order)
