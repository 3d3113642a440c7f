"""The tables of billing."""

from services.billing.models.base import Base
from services.billing.models.ledger import Ledger, LedgerBalance, LedgerEntry
from services.billing.models.prices import Price
from services.billing.models.usages import AccountCostDay, CostDay, TeamPath, Usage

__all__ = [
    "AccountCostDay",
    "Base",
    "CostDay",
    "Ledger",
    "LedgerBalance",
    "LedgerEntry",
    "Price",
    "TeamPath",
    "Usage",
]
