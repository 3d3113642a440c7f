"""Numbers of invoices and credit notes."""

from __future__ import annotations


def numbered(series: str, value: int | None) -> str:
    """Answers a number as people read it: INV-000042; empty if there is none."""
    return "" if value is None else f"{series}-{value:06}"
