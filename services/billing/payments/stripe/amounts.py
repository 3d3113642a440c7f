"""Amounts as Stripe counts them: in the smallest unit of the currency. Pure."""

from __future__ import annotations

from decimal import Decimal

from services.billing.errors import AmountInvalid
from services.billing.ledger.money import digits

_AS_HUNDREDTHS = frozenset({"ISK", "UGX"})
"""Currencies without smaller coins that Stripe counts in hundredths all the same."""


def units_of(amount: Decimal, currency: str) -> int:
    """Answers the amount in Stripe's units; raises AmountInvalid for a part of one.

    Of currencies with thousandths Stripe takes whole hundredths alone.
    """
    scaled = amount.scaleb(_digits(currency))
    step = 10 if digits(currency) == 3 else 100 if currency in _AS_HUNDREDTHS else 1
    if scaled != scaled.to_integral_value() or int(scaled) % step:
        raise AmountInvalid("The amount is finer than the currency can be paid in.", field="amount")
    return int(scaled)


def amount_of(units: int, currency: str) -> Decimal:
    """Answers the amount of so many of Stripe's units."""
    return Decimal(units).scaleb(-_digits(currency))


def _digits(currency: str) -> int:
    return 2 if currency in _AS_HUNDREDTHS else digits(currency)
