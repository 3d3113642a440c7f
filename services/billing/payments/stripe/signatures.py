"""Stripe's signatures of what it sends us: HMAC-SHA256 over the time and the raw body. Pure."""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta

TOLERANCE = timedelta(minutes=5)
"""How old, or ahead of our clock, a signature may be."""


def is_signed(body: bytes, header: str, secret: str, now: datetime) -> bool:
    """Whether the header "t=<unix time>,v1=<hex>[,v1=...]" signs the body, at about this time."""
    parts = [part.partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name.strip() == "t"]
    given = [value.strip() for name, _, value in parts if name.strip() == "v1"]
    if len(times) != 1 or not times[0].isdecimal() or len(times[0]) > 12 or not secret:
        return False
    if abs(now.timestamp() - int(times[0])) > TOLERANCE.total_seconds():
        return False
    wanted = hmac.digest(secret.encode(), times[0].encode() + b"." + body, "sha256").hex()
    # There are two while the secret is changed.
    return any(hmac.compare_digest(wanted.encode(), each.encode()) for each in given)
