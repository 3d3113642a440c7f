"""An image is what its own bytes say, with its size."""

from __future__ import annotations

import struct

import pytest

from chassis.images import Image, read

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480) + b"\x08"
JPEG = b"\xff\xd8\xff\xe0\x00\x04\x01\x02\xff\xc2\x00\x0b\x08" + struct.pack(">HH", 480, 640) + b"\xff\xd9"


def webp(chunk: bytes, body: bytes) -> bytes:
    """A WebP of one chunk, padded to a whole header."""
    return b"RIFF\0\0\0\0WEBP" + chunk + struct.pack("<I", len(body)) + body.ljust(10, b"\0")


LOSSY = webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 640, 480))
LOSSLESS = webp(b"VP8L", b"\x2f" + struct.pack("<I", 639 | 479 << 14))
EXTENDED = webp(b"VP8X", bytes(4) + (639).to_bytes(3, "little") + (479).to_bytes(3, "little"))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (JPEG + b"\0\0", "image/jpeg"),
        (LOSSY, "image/webp"),
        (LOSSLESS, "image/webp"),
        (EXTENDED, "image/webp"),
    ],
)
def test_the_kind_and_the_size_are_read_from_the_bytes(data: bytes, kind: str) -> None:
    assert read(data) == Image(kind, 640, 480)


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"<svg/>", PNG[:16], JPEG[:-2], webp(b"ALPH", b""), LOSSY[:20]]
)
def test_everything_else_is_no_image(data: bytes) -> None:
    assert read(data) is None


@pytest.mark.parametrize(
    ("width", "height", "small"),
    [(1024, 1024, True), (1025, 1, False), (1, 1025, False), (0, 9, False), (9, 0, False)],
)
def test_a_small_picture_has_a_size_and_a_bound(width: int, height: int, small: bool) -> None:
    assert Image("image/png", width, height).small is small


def test_a_jpeg_without_a_frame_tells_no_size() -> None:
    assert read(b"\xff\xd8\xff\xd9\xff\xd9") == Image("image/jpeg", 0, 0)
