"""Which types of files are taken, and whether content is of the type that it is said to be."""

from __future__ import annotations

import codecs
from collections.abc import Callable

HEAD = 4096
"""Bytes from the beginning of a file that tell its type."""


def _begins(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(signatures)


def _riff(kind: bytes) -> Callable[[bytes], bool]:
    return lambda head: head[:4] == b"RIFF" and head[8:12] == kind


def _iso_media(head: bytes) -> bool:
    return head[4:8] == b"ftyp"


def _text(head: bytes) -> bool:
    """Whether it is UTF-8 without control characters that no text has; the last character may be cut."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return not any(character < " " and character not in "\t\n\r\f" for character in text)


def _mpeg_audio(head: bytes) -> bool:
    return head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0)


_ZIP = _begins(b"PK\x03\x04", b"PK\x05\x06")
_OFFICE = "application/vnd.openxmlformats-officedocument."

TYPES: dict[str, Callable[[bytes], bool]] = {
    "image/png": _begins(b"\x89PNG\r\n\x1a\n"),
    "image/jpeg": _begins(b"\xff\xd8\xff"),
    "image/gif": _begins(b"GIF87a", b"GIF89a"),
    "image/webp": _riff(b"WEBP"),
    "audio/wav": _riff(b"WAVE"),
    "audio/mpeg": _mpeg_audio,
    "audio/ogg": _begins(b"OggS"),
    "audio/flac": _begins(b"fLaC"),
    "audio/mp4": _iso_media,
    "audio/webm": _begins(b"\x1a\x45\xdf\xa3"),
    "video/mp4": _iso_media,
    "video/webm": _begins(b"\x1a\x45\xdf\xa3"),
    "application/pdf": _begins(b"%PDF-"),
    "application/zip": _ZIP,
    f"{_OFFICE}wordprocessingml.document": _ZIP,
    f"{_OFFICE}spreadsheetml.sheet": _ZIP,
    f"{_OFFICE}presentationml.presentation": _ZIP,
    "application/json": _text,
    "text/plain": _text,
    "text/markdown": _text,
    "text/csv": _text,
    "application/octet-stream": lambda head: True,
}
"""Each type that is taken, and what its content is told by. What a browser would run (HTML, SVG) is none."""
