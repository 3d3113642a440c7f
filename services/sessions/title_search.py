"""Finding one's own sessions by their encrypted titles: by decrypting them, a bounded number a call."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Snapshot
from chassis.paging import Page
from services.sessions import sessions
from services.sessions.filters import Wanted
from services.sessions.models import Session
from services.sessions.shapes import Shown
from services.sessions.store import Sessions

MOST_READ = 2_000
"""How many sessions one call looks through."""
_BATCH = 200

Place = tuple[datetime, UUID]


async def search(
    tx: Snapshot,
    keyring: Keyring,
    store: Sessions,
    wanted: Wanted,
    needle: str,
    after: Place | None,
    page: Page,
) -> tuple[list[Shown], str]:
    """Answers the sessions with the needle in their titles, and the token of where it stopped."""
    found: list[Shown] = []
    read = 0
    while read < MOST_READ:
        rows = await store.page(wanted, after, _BATCH)
        read += len(rows)
        shown = await sessions.shown(tx, keyring, rows)
        for row, session in zip(rows, shown, strict=True):
            if needle.casefold() in session.title.casefold():
                found.append(session)
            if len(found) == page.size:
                return found, token_after(page, wanted, row)
        if len(rows) < _BATCH:
            return found, ""
        after = place_of(wanted, rows[-1])
    return found, token_after(page, wanted, rows[-1])


def place_of(wanted: Wanted, row: Session) -> Place:
    """Answers the place of a session in the order that is wanted."""
    return (row.create_time if wanted.by_creation else row.last_activity_time), row.id


def key_of(wanted: Wanted, row: Session) -> tuple[str, str]:
    """Answers that place as a page token carries it."""
    moment, id_ = place_of(wanted, row)
    return moment.isoformat(), str(id_)


def token_after(page: Page, wanted: Wanted, row: Session) -> str:
    """Answers the token of the page that begins after this session."""
    _, token = replace(page, size=1).cut([row, row], lambda each: key_of(wanted, each))
    return token
