"""Where a page begins, as its token says."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from chassis.paging import Page, PageTokenInvalid


def place_of(page: Page) -> tuple[datetime, UUID] | None:
    """Reads a cursor of a time and an id."""
    if page.cursor is None:
        return None
    try:
        moment, id_ = page.cursor
        return datetime.fromisoformat(moment), UUID(id_)
    except ValueError as error:
        raise PageTokenInvalid from error


def id_of(page: Page) -> UUID | None:
    """Reads a cursor of an id."""
    try:
        return UUID(page.cursor[0]) if page.cursor is not None else None
    except (ValueError, IndexError) as error:
        raise PageTokenInvalid from error


def sequence_of(page: Page) -> int:
    """Reads a cursor of a sequence; the first page comes after 0."""
    try:
        return int(page.cursor[0]) if page.cursor is not None else 0
    except (ValueError, IndexError) as error:
        raise PageTokenInvalid from error
