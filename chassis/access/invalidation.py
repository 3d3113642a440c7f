"""Drops cached rights when identity or enterprise tells of a change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from uuid import UUID

_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def named_ids(headers: Mapping[str, str], payload: bytes) -> set[UUID]:
    """Answers every id that an event names, in its headers or its message, whatever its type.

    To read the ids without knowing the message errs on the safe side: an event that is newer than this
    process drops too much rather than too little.
    """
    texts = _UUID.findall(payload)
    for value in headers.values():
        texts += _UUID.findall(value.encode())
    return {UUID(text.decode()) for text in texts}
