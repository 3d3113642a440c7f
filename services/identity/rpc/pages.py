"""The keys of pages that several lists share."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from chassis.paging import PageTokenInvalid


def time_and_id(cursor: tuple[str, ...] | None) -> tuple[datetime, UUID] | None:
    """Reads a time and an id; raises PageTokenInvalid for a token that we did not make."""
    if cursor is None:
        return None
    try:
        create_time, row_id = cursor
        return datetime.fromisoformat(create_time), UUID(row_id)
    except ValueError as error:
        raise PageTokenInvalid from error


def sequence(cursor: tuple[str, ...] | None) -> int | None:
    """Reads a place in an order; raises PageTokenInvalid for a token that we did not make."""
    if cursor is None:
        return None
    try:
        (place,) = cursor
        return int(place)
    except ValueError as error:
        raise PageTokenInvalid from error
