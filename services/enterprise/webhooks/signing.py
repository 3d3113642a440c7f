"""Signatures of webhooks, after standard-webhooks (standardwebhooks.com)."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

SECRET_BYTES = 32
_PREFIX = "whsec_"


def shown(secret: bytes) -> str:
    """Answers the secret as its holder is given it."""
    return _PREFIX + base64.b64encode(secret).decode()


def headers(secrets: Iterable[bytes], event_id: UUID, now: datetime, body: bytes) -> dict[str, str]:
    """Answers the headers that sign the body, with a signature by each secret."""
    timestamp = str(int(now.timestamp()))
    signed = f"{event_id}.{timestamp}.".encode() + body
    found = (base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in secrets)
    return {
        "webhook-id": str(event_id),
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in found),
    }
