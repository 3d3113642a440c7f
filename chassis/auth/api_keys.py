"""API keys: what they look like, and what can be told of one without asking anybody.

A key names the principal under whose row level security it is looked up, carries 32 bytes of chance, and
ends with a checksum, so that a scanner of leaked secrets knows one by itself and a typing error costs no
look-up:

    wrtn_mk_<member, 22 characters><chance, 43><checksum, 6>        a member's
    wrtn_ek_<credential, 22 characters><chance, 43><checksum, 6>    an enterprise's
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from dataclasses import dataclass
from uuid import UUID

from chassis.clock import Clock

PREFIX = "wrtn_"
READ = "read"
"""The scope by which a member's key calls methods without side effects."""
WRITE = "write"
"""The scope by which a member's key calls all other methods."""

_MEMBER = "wrtn_mk_"
_ENTERPRISE = "wrtn_ek_"
_KEY = re.compile(r"(?:wrtn_mk_|wrtn_ek_)([A-Za-z0-9_-]{22})[A-Za-z0-9_-]{43}[A-Za-z0-9_-]{6}")
_CHECKSUM = 6
"""Characters of the checksum: a CRC-32 in base64url. It tells a mistake, and proves nothing."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that is well-formed, as far as it may be kept: its hash, and whose it claims to be."""

    principal_id: UUID
    """The member, or the credential that an enterprise's key is."""
    member: bool
    key_hash: bytes
    """SHA-256 suffices for 32 bytes of chance."""


def of_member(member_id: UUID, clock: Clock) -> str:
    """Makes a key of a member."""
    return _made(_MEMBER, member_id, clock)


def of_enterprise(credential_id: UUID, clock: Clock) -> str:
    """Makes a key that is a credential of an enterprise."""
    return _made(_ENTERPRISE, credential_id, clock)


def parsed(text: str) -> ApiKey | None:
    """Reads a key; None for a text that is none, or was mistyped."""
    found = _KEY.fullmatch(text)
    if found is None or _checksum(text[:-_CHECKSUM]) != text[-_CHECKSUM:]:
        return None
    principal_id = UUID(bytes=base64.urlsafe_b64decode(f"{found[1]}=="))
    return ApiKey(principal_id, text.startswith(_MEMBER), hashlib.sha256(text.encode()).digest())


def _made(prefix: str, principal_id: UUID, clock: Clock) -> str:
    body = f"{prefix}{_encoded(principal_id.bytes)}{clock.secret(32)}"
    return body + _checksum(body)


def _checksum(body: str) -> str:
    return _encoded(zlib.crc32(body.encode()).to_bytes(4, "big"))


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
