"""What passes between HTTP headers and gRPC metadata: two allow-lists.

A service sets the HTTP side of its answer by metadata, initial or trailing:

- `x-http-code`: the status, 200 to 599 ("201", "302", SCIM's errors);
- `x-http-header-<name>`: a header out of ANSWERED, for example `x-http-header-location`; a key may
  occur more than once (`x-http-header-set-cookie`).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote_from_bytes

from gateway.problems import refused

CODE_KEY = "x-http-code"
HEADER_KEY = "x-http-header-"
USER_AGENT_KEY = "x-user-agent"
"""gRPC keeps `user-agent` for its own library, so the client's goes under this key."""

FORWARDED: Mapping[bytes, str] = {
    name: name.decode()
    for name in (
        b"authorization",
        b"idempotency-key",
        b"traceparent",
        b"tracestate",
        b"accept-language",
        b"cookie",
        b"x-csrf-token",
        b"origin",
        b"referer",
        b"sec-fetch-site",
        b"if-match",
        b"if-none-match",
        b"if-modified-since",
        b"range",
        b"if-range",
        b"last-event-id",
        # Signatures of webhooks are verified by the service, over the raw body.
        b"stripe-signature",
        b"webhook-id",
        b"webhook-timestamp",
        b"webhook-signature",
    )
} | {b"user-agent": USER_AGENT_KEY}
"""Request headers that become metadata; the gateway adds x-request-id and x-forwarded-for itself."""

ANSWERED = frozenset(
    (
        "accept-ranges",
        "allow",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-range",
        "content-type",
        "deprecation",
        "etag",
        "expires",
        "last-modified",
        "link",
        "location",
        "retry-after",
        "set-cookie",
        "sunset",
        "vary",
        "www-authenticate",
        "x-robots-tag",
    )
)
"""Response headers that a service may set."""

MAX_METADATA_BYTES = 7 * 1024
"""gRPC servers refuse metadata above 8 KiB, so more than this is refused here, with 431."""

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._~-]{1,128}")
_ILLEGAL = re.compile(rb"[^\x20-\x7e]")
_PRINTABLE = bytes(range(0x20, 0x7F)).decode()

RawHeaders = Iterable[tuple[bytes, bytes]]
Metadata = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Answer:
    """The HTTP side of an answer, as far as the service set it."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    def take(self, metadata: Iterable[tuple[str, str | bytes]] | None) -> Answer:
        """Adds what the metadata says; whatever is not allowed or not well-formed is left out."""
        for key, value in metadata or ():
            if key == CODE_KEY:
                text = value.decode() if isinstance(value, bytes) else value
                if text.isdecimal() and 200 <= int(text) <= 599:
                    self.status = int(text)
            elif key.startswith(HEADER_KEY) and (name := key[len(HEADER_KEY) :]) in ANSWERED:
                raw = value if isinstance(value, bytes) else value.encode()
                if not _ILLEGAL.search(raw):
                    self.headers.append((name.encode(), raw))
        return self

    def pop(self, name: bytes) -> bytes | None:
        """Takes a header out and answers its first value."""
        found = [value for key, value in self.headers if key == name]
        self.headers = [pair for pair in self.headers if pair[0] != name]
        return found[0] if found else None


def request_id(headers: Mapping[bytes, bytes]) -> str:
    """Answers the client's X-Request-Id if it is well-formed, else a new one."""
    given = headers.get(b"x-request-id", b"")
    return given.decode() if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)


def metadata(headers: RawHeaders, identity: str, client: str) -> Metadata:
    """Answers the metadata of a call. Raises Problem (431) if the headers are too large for gRPC."""
    out: list[tuple[str, str]] = [("x-request-id", identity)]
    if client:
        out.append(("x-forwarded-for", client))
    size = 0
    for name, value in headers:
        if key := FORWARDED.get(name):
            size += len(value)
            if _ILLEGAL.search(value):
                value = quote_from_bytes(value, safe=_PRINTABLE).encode()
                size += 2 * len(value)
            out.append((key, value.decode()))
    if size > MAX_METADATA_BYTES:
        raise refused(
            431, "HEADERS_TOO_LARGE", f"The headers that are passed on exceed {MAX_METADATA_BYTES} bytes."
        )
    return tuple(out)


def client_address(headers: Mapping[bytes, bytes], peer: Sequence[str | int] | None, trusted: int) -> str:
    """Answers the client's address: the peer's, or the one that the outermost trusted proxy saw."""
    address = str(peer[0]) if peer else ""
    if trusted > 0 and (chain := headers.get(b"x-forwarded-for")):
        hops = [hop.strip() for hop in chain.decode("latin-1").split(",")]
        seen = hops[-min(trusted, len(hops))]
        return seen if re.fullmatch(r"[0-9A-Fa-f.:]{2,45}", seen) else address
    return address
