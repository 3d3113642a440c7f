"""What the servicers share in reading a request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from chassis.paging import Page, PageTokenInvalid

T = TypeVar("T")


def after(page: Page, read: Callable[[str], T]) -> T | None:
    """Answers the key after which the page begins; raises PageTokenInvalid for a forged one."""
    if not page.cursor:
        return None
    try:
        return read(page.cursor[0])
    except ValueError as error:
        raise PageTokenInvalid from error


def time_and_id(page: Page) -> tuple[datetime, UUID] | None:
    """Answers the time and the id after which the page begins; raises PageTokenInvalid for a forged one."""
    if page.cursor is None:
        return None
    try:
        moment, row_id = page.cursor
        return datetime.fromisoformat(moment), UUID(row_id)
    except ValueError as error:
        raise PageTokenInvalid from error


def sure(value: T | None) -> T:
    """Answers what the access rule of the method has made sure of; its absence is a defect."""
    if value is None:
        raise LookupError("the access rule admitted a caller without what it promises")
    return value
