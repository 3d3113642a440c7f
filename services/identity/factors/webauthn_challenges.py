"""Challenges of WebAuthn: made without writing anything, good for one answer.

A challenge says when it expires and carries a keyed hash, so that we know it for ours when it comes back;
asking for challenges without end fills no table. What was answered is kept until it has expired.
"""

from __future__ import annotations

import base64
import hmac
import struct
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from chassis.clock import Clock
from chassis.crypto import Keyring

LIFETIME = timedelta(minutes=5)
_PURPOSE = "webauthn challenge"
_NONCE_BYTES = 24
_EXPIRY = struct.Struct(">Q")
_SIGNED = _NONCE_BYTES + _EXPIRY.size


def make(keyring: Keyring, clock: Clock, purpose: str) -> bytes:
    """Answers a challenge for one purpose, as in "sign in"."""
    nonce = base64.urlsafe_b64decode(clock.secret(_NONCE_BYTES))
    plain = nonce + _EXPIRY.pack(int((clock.now() + LIFETIME).timestamp()))
    return plain + _mac(keyring, plain, purpose)


def expiry(keyring: Keyring, challenge: bytes, purpose: str, now: datetime) -> datetime | None:
    """Answers when a challenge of ours expires; None if it has, or is none, or of another purpose."""
    plain, mac = challenge[:_SIGNED], challenge[_SIGNED:]
    if len(plain) != _SIGNED or not hmac.compare_digest(mac, _mac(keyring, plain, purpose)):
        return None
    expires = datetime.fromtimestamp(_EXPIRY.unpack(plain[_NONCE_BYTES:])[0], UTC)
    return expires if expires > now else None


def digest(challenge: bytes) -> bytes:
    """Answers the hash under which an answered challenge is kept."""
    return sha256(challenge).digest()


def _mac(keyring: Keyring, plain: bytes, purpose: str) -> bytes:
    return keyring.lookup(_PURPOSE, f"{plain.hex()} {purpose}")
