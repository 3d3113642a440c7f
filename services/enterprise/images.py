"""What an image is, told by its own bytes and never by what somebody says of it."""

from __future__ import annotations

from services.enterprise.errors import LogoInvalid

MOST_PIXELS = 1024
"""How wide and how high a logo may be: a few kilobytes can unpack to gigabytes."""

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER = 24
_JPEG = b"\xff\xd8\xff"
# Start-of-frame markers, which carry the size; C4, C8 and CC are something else.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def content_type(image: bytes) -> str:
    """Answers "image/png" or "image/jpeg"; raises LogoInvalid for anything else, and for too many pixels."""
    if image.startswith(_PNG) and image[12:16] == b"IHDR" and len(image) > _PNG_HEADER:
        found, size = "image/png", (_number(image[16:20]), _number(image[20:24]))
    elif image.startswith(_JPEG):
        found, size = "image/jpeg", _jpeg_size(image)
    else:
        raise LogoInvalid("The logo must be a PNG or a JPEG.", field="image")
    if not all(0 < each <= MOST_PIXELS for each in size):
        raise LogoInvalid(f"The logo may be {MOST_PIXELS} pixels wide and high at most.", field="image")
    return found


def _jpeg_size(image: bytes) -> tuple[int, int]:
    """Answers width and height from the first frame; zeros if there is none."""
    at = 2
    while at + 9 <= len(image) and image[at] == 0xFF:
        marker = image[at + 1]
        if marker in _FRAMES:
            return _number(image[at + 7 : at + 9]), _number(image[at + 5 : at + 7])
        at += 2 + max(2, _number(image[at + 2 : at + 4]))
    return 0, 0


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "big")
