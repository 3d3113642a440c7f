"""Content types: what a client may send, and what it accepts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from gateway.problems import refused

JSON = b"application/json"
NDJSON = b"application/x-ndjson"
SSE = b"text/event-stream"


@lru_cache(maxsize=1024)
def accepted(accept: bytes, offered: tuple[bytes, ...]) -> bytes:
    """Answers the offered type that an Accept header likes best. Raises Problem (406)."""
    if not accept.strip():
        return offered[0]
    best, best_weight = None, 0.0
    for offer in offered:
        if (weight := _weight(accept, offer)) > best_weight:
            best, best_weight = offer, weight
    if best is None:
        names = ", ".join(offer.decode() for offer in offered)
        raise refused(406, "NOT_ACCEPTABLE", f"This method answers with {names} only.")
    return best


def _weight(accept: bytes, offer: bytes) -> float:
    """Answers the quality of the most specific range that covers the offer (RFC 9110, 12.5.1)."""
    found, weight = -1, 0.0
    for part in accept.lower().split(b","):
        pieces = [piece.strip() for piece in part.split(b";")]
        rank = _rank(pieces[0], offer)
        if rank > found:
            found, weight = rank, _quality(pieces[1:])
    return weight


def _rank(pattern: bytes, offer: bytes) -> int:
    if pattern == offer or (
        offer == JSON and pattern.startswith(b"application/") and pattern.endswith(b"+json")
    ):
        return 2
    if pattern == offer.split(b"/")[0] + b"/*":
        return 1
    return 0 if pattern == b"*/*" else -1


def _quality(parameters: Sequence[bytes]) -> float:
    for parameter in parameters:
        if parameter.startswith(b"q="):
            try:
                return min(max(float(parameter[2:]), 0.0), 1.0)
            except ValueError:
                return 1.0
    return 1.0


@lru_cache(maxsize=1024)
def check_json(content_type: bytes, encoding: bytes) -> None:
    """Refuses a body that is not JSON in UTF-8, or is compressed. Raises Problem (415).

    Compressed bodies are never unpacked, so that a small one cannot grow in memory.
    """
    if encoding not in (b"", b"identity"):
        name = encoding[:40].decode("latin-1")
        accept = [(b"accept-encoding", b"identity")]
        raise refused(415, "UNSUPPORTED_ENCODING", f"Bodies in the encoding {name!r} are not taken.", accept)
    kind, *parameters = [part.strip().lower() for part in content_type.split(b";")]
    is_json = kind in (b"", JSON, NDJSON) or (kind.startswith(b"application/") and kind.endswith(b"+json"))
    charsets = [part[8:].strip(b'"') for part in parameters if part.startswith(b"charset=")]
    if not is_json or any(each not in (b"utf-8", b"utf8", b"us-ascii") for each in charsets):
        name = content_type[:80].decode("latin-1")
        raise refused(
            415, "UNSUPPORTED_MEDIA_TYPE", f"The body must be application/json in UTF-8, not {name!r}."
        )
