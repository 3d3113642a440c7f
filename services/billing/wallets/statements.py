"""Statements of wallets: between which times, with which balances, and which entries on which page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from chassis.database import Snapshot
from chassis.paging import Page
from services.billing.errors import TimeRangeInvalid, WalletNotFound
from services.billing.periods import BEGINNING, Span
from services.billing.readers import Reader
from services.billing.store.statements import Entry, Statements
from services.billing.wallets.wallets import currency_of


@dataclass(frozen=True, slots=True)
class Statement:
    """One page of a statement. The balances are those at both ends, the same on every page."""

    start: datetime
    end: datetime
    currency: str
    opening: Decimal
    closing: Decimal
    entries: Sequence[Entry]
    next_page_token: str


async def statement(
    snapshot: Snapshot,
    reader: Reader,
    tenant_id: UUID,
    start: datetime | None,
    end: datetime | None,
    page: Page,
) -> Statement:
    """Answers a page; raises TimeRangeInvalid, and WalletNotFound if the reader sees nothing of that time.

    What is entered while pages are read is on none of them: the first one fixes where the statement ends.
    """
    asked = Span(start or BEGINNING, min(end or snapshot.now, snapshot.now))
    if start is not None and end is not None and end <= start:
        raise TimeRangeInvalid("The end must be after the start.", field="end_time")
    seen = _seen(asked, await reader.times(snapshot), snapshot.now)
    queries = Statements(snapshot, tenant_id)
    _, opening = await queries.last_before(seen.start)
    before = page.after(_read)
    if before is None:
        after, until = 0, seen.end or snapshot.now
        through, closing = await queries.last_before(until)
    else:
        after, through, until = before
        closing = await queries.balance_after(through)
    rows = await queries.page(seen.start, after, through, page.size + 1)
    entries, token = page.cut(rows, key=lambda row: (str(row.sequence), str(through), until.isoformat()))
    currency = await currency_of(snapshot, tenant_id)
    return Statement(seen.start, until, currency, opening, closing, entries, token)


def _seen(asked: Span, times: Sequence[Span], now: datetime) -> Span:
    """Answers the part of the time that may be seen, the last of several; raises WalletNotFound for none."""
    for each in reversed(times):
        start, end = max(asked.start, each.start), min(asked.end or now, each.end or now)
        if start < end or (start == end and each.end is None):
            return Span(start, end)
    raise WalletNotFound("The wallet does not exist.", field="wallet_id")


def _read(after: str, through: str, until: str) -> tuple[int, int, datetime]:
    return int(after), int(through), datetime.fromisoformat(until)
