"""Where a page of rows goes on that are listed by id, the newest first."""

from __future__ import annotations

from uuid import UUID

from chassis.paging import Page, PageTokenInvalid


def before(page: Page) -> UUID | None:
    """Answers the id before which the page goes on; None for the first. Raises PageTokenInvalid."""
    if not page.cursor:
        return None
    try:
        return UUID(page.cursor[0])
    except ValueError as error:
        raise PageTokenInvalid from error
