"""The hash of one seal: over the entry as it stands in its row, its place in the chain, and the seal before.

A seal is SHA-256 over: the hash before (32 zero bytes for the first), the sequence (8 bytes, big endian),
and the entry's columns as one line of JSON, in the order of `COLUMNS`.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

COLUMNS = (
    "tenant_id",
    "id",
    "action",
    "actor_kind",
    "member_id",
    "account_id",
    "login_id",
    "credential_id",
    "peer",
    "staff_right",
    "target_id",
    "method",
    "request_id",
    "trace_id",
    "details",
    "private",
    "create_time",
)
"""Every column of wrtn_audit_entries."""

START = bytes(32)
"""What stands before the first seal of a tenant."""


def seal(before: bytes, sequence: int, entry: Sequence[Any]) -> bytes:
    """Answers the hash of the entry, a row in the order of COLUMNS, at this place."""
    written = json.dumps([_plain(value) for value in entry], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(before + struct.pack(">Q", sequence) + written.encode()).digest()


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value
