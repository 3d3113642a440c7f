"""The chart of ledger accounts, and what postings are made for. Debits are positive, credits negative.

Each tenant has these accounts in its own ledger, in its one currency.
"""

from __future__ import annotations

from enum import StrEnum

RECEIVABLE = "receivable"
"""What the tenant owes: debited by what is charged, credited by what is paid."""
WALLET = "wallet"
"""The credits of the tenant's wallet, which are owed to it: credited as they come, debited as they go."""
REFUNDS = "refunds"
"""What is to be paid back: credited by a refund, debited when the money leaves."""
DISPUTES = "disputes"
"""What the card provider has taken back until a dispute is decided: debited by that, credited as it is."""
TAX = "tax"
"""What is owed to tax offices."""
USAGE_REVENUE = "usage_revenue"
"""What was earned by usage."""
FEE_REVENUE = "fee_revenue"
"""What was earned by the fees of plans."""
INCLUDED = "included"
"""What plans covered of what was used: debited as it is taken off an invoice."""
FINES = "fines"
"""What was earned by fines."""
BREAKAGE = "breakage"
"""What was earned by credits that expired unspent."""
BONUS_EXPENSE = "bonus_expense"
"""What was given away as bonuses and grants."""
ROUNDING = "rounding"
"""What the rounding of invoice lines left over, on either side."""
BAD_DEBT = "bad_debt"
"""What is owed and will not be paid."""


def cash(provider: str) -> str:
    """Answers the account of the money that a provider of payments holds for us: "cash:stripe"."""
    return f"cash:{provider}"


class PostingKind(StrEnum):
    """What a posting was made for."""

    USAGE = "usage"
    PURCHASE = "purchase"
    BONUS = "bonus"
    GRANT = "grant"
    BURN = "burn"
    RETURN = "return"
    REFUND = "refund"
    FINE = "fine"
    EXPIRY = "expiry"
    INVOICE = "invoice"
    PAYMENT = "payment"
    CREDIT_NOTE = "credit_note"
    CORRECTION = "correction"
    WRITE_OFF = "write_off"
    DISPUTE = "dispute"
