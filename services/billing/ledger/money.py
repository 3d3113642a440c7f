"""Amounts in the smallest unit of their currency. Pure."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

_WHOLE = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"}
    | {"RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_THOUSANDTHS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)


def digits(currency: str) -> int:
    """Answers how many digits the currency has after the point (ISO 4217)."""
    if currency in _WHOLE:
        return 0
    return 3 if currency in _THOUSANDTHS else 2


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Answers the amount in the currency's smallest unit, half to even."""
    return amount.quantize(Decimal(1).scaleb(-digits(currency)), context=_CONTEXT)
