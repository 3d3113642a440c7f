"""What Stripe tells: verified by its signature, and then only a hint of what to ask for."""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

MOST_BYTES = 256 * 1024
"""How large an event may be; Stripe's are some KiB."""

# A charge has the metadata of its PaymentIntent, also where somebody refunds it on Stripe's own pages.
_TOLD_OF = ("payment_intent", "charge", "refund")


class Told(NamedTuple):
    """Of which payment or refund of ours an event tells; one of a charge, that its payment has refunds."""

    event_id: UUID
    """Made of Stripe's id, for the inbox."""
    tenant_id: UUID
    payment_id: UUID | None
    refund_id: UUID | None
    object_id: str
    """How Stripe calls it."""
    of_charge: bool


class ToldOfDispute(NamedTuple):
    """Of which dispute an event tells; whose payment it is about stands at the payment."""

    object_id: str


class ToldOfRefund(NamedTuple):
    """Of a refund that was begun at Stripe, on which nothing of ours stands, but at what it refunds."""

    intent_id: str


def told(body: bytes) -> Told | ToldOfDispute | ToldOfRefund | None:
    """Reads a verified event; None for one that is about nothing of ours, such as another system's."""
    try:
        event = json.loads(body)
        about: dict[str, Any] = event["data"]["object"]
        if about["object"] == "dispute":
            return ToldOfDispute(about["id"])
        ours = about.get("metadata") or {}
        payment_id, refund_id = ours.get("payment_id"), ours.get("refund_id")
        if about["object"] == "refund" and not refund_id:
            return ToldOfRefund(about["payment_intent"]) if about["payment_intent"] else None
        if about["object"] not in _TOLD_OF or not (payment_id or refund_id):
            return None
        return Told(
            uuid5(NAMESPACE_URL, f"stripe:{event['id']}"),
            UUID(ours["tenant_id"]),
            UUID(payment_id) if payment_id else None,
            UUID(refund_id) if refund_id else None,
            about["id"],
            about["object"] == "charge",
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
