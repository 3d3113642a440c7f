"""Decimal numbers as they stand on the wire: money, prices and rates are texts, never floats."""

from __future__ import annotations

from decimal import Decimal


def text(value: Decimal) -> str:
    """Answers the number without exponent and superfluous zeros, exactly: "0.00123", "12", "0".

    Raises ValueError for infinity and NaN.
    """
    if not value.is_finite():
        raise ValueError("not a finite number")
    plain = format(value, "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain == "-0" else plain
