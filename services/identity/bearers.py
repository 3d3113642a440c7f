"""Opaque tokens: what verification links and refresh tokens look like, and how they are kept.

A token begins with the id of its member, so that it is looked up under that member's row level security:
a token with a forged id finds nothing, because the hash is of the whole text.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from uuid import UUID

from chassis.clock import Clock

REFRESH = "wrtn_rt_"
VERIFICATION = "wrtn_ev_"
RESET = "wrtn_pr_"
CERTIFICATE = "wrtn_ec_"
CHALLENGE = "wrtn_sc_"
DEVICE = "wrtn_dt_"
SECRET = "wrtn_sk_"  # noqa: S105 - a prefix
"""The prefixes by which scanners of leaked secrets may know ours."""

_ID_LENGTH = 22
"""Characters of an id in base64url without padding."""


def bearer(prefix: str, member_id: UUID, clock: Clock) -> str:
    """Makes a token of the member with 32 bytes of chance."""
    return of(prefix, member_id, clock.secret(32))


def of(prefix: str, member_id: UUID, secret: str) -> str:
    """Answers the token of the member that holds this secret, 32 bytes in base64url."""
    owner = base64.urlsafe_b64encode(member_id.bytes).decode().rstrip("=")
    return f"{prefix}{owner}{secret}"


def owner_of(prefix: str, token: str) -> UUID | None:
    """Answers whose token this claims to be, or None for a text that is none."""
    if not token.startswith(prefix) or not token.isascii():
        return None
    encoded = token[len(prefix) :][:_ID_LENGTH]
    try:
        return UUID(bytes=base64.b64decode(f"{encoded}==", altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        return None


def digest(token: str) -> bytes:
    """Answers the hash under which a token is kept. SHA-256 suffices for 32 bytes of chance."""
    return hashlib.sha256(token.encode()).digest()
