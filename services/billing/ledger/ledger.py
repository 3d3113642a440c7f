"""Postings: the one way into the ledger, besides the statement that bills usages (`posting.py`)."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from chassis.database import Transaction
from chassis.decimals import text
from services.billing.errors import CurrencyMismatch, PostingConflict
from services.billing.ledger.chart import PostingKind
from services.billing.store.ledger import Ledgers, Posting


class Line(NamedTuple):
    """What a posting does to one account of the chart: a debit where positive, a credit where negative."""

    ledger_account: str
    amount: Decimal


async def post(
    tx: Transaction,
    tenant_id: UUID,
    currency: str,
    kind: PostingKind,
    lines: Iterable[Line],
    reference: str,
) -> UUID | None:
    """Posts lines that sum to zero, once for each reference of the tenant; answers the posting's id.

    Lines of one account become one entry, and none where they cancel out; None is answered, and the reference
    stays free, if no entry is left. The tenant's ledger is locked until the commit. The same reference again
    answers the same posting. Raises PostingConflict if that was another one, CurrencyMismatch if the ledger
    is kept in another currency, ValueError for lines that do not sum to zero.
    """
    entries = _merged(lines)
    if not entries:
        return None
    posting = Posting(tx.clock.new_id(), kind, reference, _digest(currency, kind, entries))
    kept = await Ledgers(tx, tenant_id).post(currency, posting, entries)
    if kept.currency != currency:
        raise CurrencyMismatch(f"The ledger is kept in {kept.currency}.", field="currency")
    if kept.digest != posting.digest:
        raise PostingConflict("Another posting was made under this reference.", reference=reference)
    return kept.id


def _merged(lines: Iterable[Line]) -> list[Line]:
    """Answers one line an account, in the order in which they came; raises ValueError for an imbalance."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        sums[line.ledger_account] += line.amount
    if sum(sums.values()):
        raise ValueError("the lines of a posting must sum to zero")
    return [Line(account, amount) for account, amount in sums.items() if amount]


def _digest(currency: str, kind: PostingKind, entries: Iterable[Line]) -> bytes:
    parts = [currency, kind, *(f"{line.ledger_account}={text(line.amount)}" for line in sorted(entries))]
    return hashlib.sha256("\n".join(parts).encode()).digest()
