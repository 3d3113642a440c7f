"""What kind of image some bytes are, by themselves: what a client calls them counts for nothing."""

from __future__ import annotations

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
_RIFF, _WEBP = b"RIFF", b"WEBP"


def media_type(image: bytes) -> str | None:
    """Answers image/png, image/jpeg or image/webp; None for anything else."""
    if image.startswith(_PNG) and image[12:16] == b"IHDR":
        return "image/png"
    if image.startswith(_JPEG) and image.rstrip(b"\0").endswith(_JPEG_END):
        return "image/jpeg"
    if image[:4] == _RIFF and image[8:12] == _WEBP and image[12:15] == b"VP8":
        return "image/webp"
    return None
