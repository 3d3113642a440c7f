"""Which payment bought credits: the reference of their posting says so."""

from __future__ import annotations

from uuid import UUID

PREFIX = "payment-credits:"


def reference_of(payment_id: UUID) -> str:
    """Answers under which reference the credits of a payment are posted."""
    return f"{PREFIX}{payment_id}"


def payment_of(reference: str) -> UUID | None:
    """Answers the payment of a reference; None if the credits came otherwise."""
    return UUID(reference.removeprefix(PREFIX)) if reference.startswith(PREFIX) else None
