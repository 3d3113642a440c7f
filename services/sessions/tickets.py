"""Tickets: 32 bytes of chance behind the tenant's id, so that one is found without knowing whose it is."""

from __future__ import annotations

import base64
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from chassis.clock import Clock

LIFETIME = timedelta(seconds=60)
_TENANT_BYTES = 16
_SECRET_BYTES = 32


def make(tenant_id: UUID, clock: Clock) -> str:
    """Makes the text of a new ticket."""
    return base64.urlsafe_b64encode(tenant_id.bytes).rstrip(b"=").decode() + "." + clock.secret(_SECRET_BYTES)


def tenant_of(ticket: str) -> UUID | None:
    """Answers the tenant that the ticket claims to be of, or None for a text that is no ticket."""
    encoded = ticket.partition(".")[0]
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    return UUID(bytes=raw) if len(raw) == _TENANT_BYTES else None


def digest(ticket: str) -> bytes:
    """Answers what is stored of a ticket. It has too much chance in it for the hash to need a key."""
    return sha256(ticket.encode()).digest()
