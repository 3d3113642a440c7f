"""The queries of billing's tables, but for the sums of costs (`sums.py`)."""

from services.billing.store.ledger import LedgerEntries
from services.billing.store.prices import Prices, read_tiers, read_windows
from services.billing.store.usages import Postings, Usages

__all__ = ["LedgerEntries", "Postings", "Prices", "Usages", "read_tiers", "read_windows"]
