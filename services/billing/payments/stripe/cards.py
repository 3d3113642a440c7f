"""Cards by Stripe: the PaymentProvider that is asked by machines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from chassis.clock import Clock
from services.billing.payments.providers import (
    Charge,
    Contest,
    Found,
    Outcome,
    ProviderSilent,
    Return,
    Returned,
)
from services.billing.payments.stripe.amounts import amount_of, units_of
from services.billing.payments.stripe.api import Api, Object, StripeRefused
from wrtn.billing.v1 import payments_pb2 as pb

_KEYS_LAST = timedelta(hours=23)
"""Stripe keeps keys of idempotency for a day: until then the same request may be sent again."""
_PAGE = "100"

# Stripe's words for what became of a PaymentIntent. The unknown and those that need us wait.
_STATES = {
    "succeeded": pb.Payment.STATE_SUCCEEDED,
    "requires_action": pb.Payment.STATE_ACTION_REQUIRED,
    "requires_payment_method": pb.Payment.STATE_FAILED,
    "canceled": pb.Payment.STATE_CANCELLED,
}
_REFUND_STATES = {
    "succeeded": pb.Refund.STATE_SUCCEEDED,
    "failed": pb.Refund.STATE_FAILED,
    "canceled": pb.Refund.STATE_FAILED,
}
# Of an inquiry, "warning_...", no money was taken back.
_DISPUTE_STATES = {
    "needs_response": pb.Payment.STATE_DISPUTED,
    "under_review": pb.Payment.STATE_DISPUTED,
    "won": pb.Payment.STATE_SUCCEEDED,
    "lost": pb.Payment.STATE_LOST,
}
NEVER_SENT = "never_sent"
"""Why a payment failed of which the provider has not heard within a day."""


class Cards:
    """Charges saved cards."""

    name = "stripe"

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api = api
        self._clock = clock

    async def charge(self, charge: Charge) -> Outcome:
        """Takes the money. Raises ProviderSilent if it is not known whether it did."""
        form = {
            "amount": str(units_of(charge.amount, charge.currency)),
            "currency": charge.currency.lower(),
            "customer": charge.customer_id,
            "payment_method": charge.method_id,
            "payment_method_types[]": "card",
            "confirm": "true",
            "metadata[tenant_id]": str(charge.tenant_id),
            "metadata[payment_id]": str(charge.payment_id),
        }
        if charge.automatic:
            form["off_session"] = "true"
        if self._clock.now() - charge.create_time > _KEYS_LAST:
            found = await self._search("payment_intents", charge.customer_id, str(charge.payment_id))
            return _outcome(found) if found else Outcome(pb.Payment.STATE_FAILED, failure=NEVER_SENT)
        try:
            return _outcome(await self._api.post("payment_intents", form, f"payment-{charge.payment_id}"))
        except StripeRefused as refused:
            made = refused.payload.get("payment_intent", {})
            return Outcome(pb.Payment.STATE_FAILED, made.get("id"), refused.failure)

    async def outcome(self, provider_payment_id: str) -> Outcome:
        """Answers what became of a PaymentIntent."""
        try:
            return _outcome(await self._api.get(f"payment_intents/{provider_payment_id}"))
        except StripeRefused as refused:
            raise ProviderSilent(refused.failure) from refused

    async def cancel(self, provider_payment_id: str) -> Outcome:
        """Gives a PaymentIntent up; one that cannot be any more is answered as it stands."""
        try:
            path = f"payment_intents/{provider_payment_id}/cancel"
            return _outcome(await self._api.post(path, {}, f"cancel-{provider_payment_id}"))
        except StripeRefused:
            return await self.outcome(provider_payment_id)

    async def give_back(self, wanted: Return) -> Returned:
        """Gives money back; a repeated key would be answered as the first time, so what is known is read."""
        if wanted.provider_refund_id is not None:
            return await self._refund(wanted.provider_refund_id)
        form = {
            "payment_intent": wanted.provider_payment_id,
            "amount": str(units_of(wanted.amount, wanted.currency)),
            "metadata[tenant_id]": str(wanted.tenant_id),
            "metadata[refund_id]": str(wanted.refund_id),
        }
        if self._clock.now() - wanted.create_time > _KEYS_LAST:
            refunds = await self.returns(wanted.provider_payment_id, wanted.currency)
            mine = (each.returned for each in refunds if each.refund_id == wanted.refund_id)
            return next(mine, Returned(pb.Refund.STATE_FAILED))
        try:
            return _returned(await self._api.post("refunds", form, f"refund-{wanted.refund_id}"))
        except StripeRefused:
            return Returned(pb.Refund.STATE_FAILED)

    async def dispute(self, dispute_id: str) -> Contest | None:
        """Answers how a dispute stands; None before money was taken back, and for another system's charge.

        Raises ProviderSilent.
        """
        try:
            found = await self._api.get(f"disputes/{dispute_id}")
            state = _DISPUTE_STATES.get(found["status"])
            if state is None or not found["payment_intent"]:
                return None
        except StripeRefused as refused:
            raise ProviderSilent(refused.failure) from refused
        whose = await self.payment_of(found["payment_intent"])
        if whose is None:
            return None
        amount = amount_of(found["amount"], found["currency"].upper())
        return Contest(*whose, found["id"], state, amount)

    async def payment_of(self, provider_payment_id: str) -> tuple[UUID, UUID] | None:
        """Answers tenant and payment of a PaymentIntent; None for another system's. Raises ProviderSilent."""
        try:
            ours = (await self._api.get(f"payment_intents/{provider_payment_id}"))["metadata"]
        except StripeRefused as refused:
            raise ProviderSilent(refused.failure) from refused
        return (UUID(ours["tenant_id"]), UUID(ours["payment_id"])) if "payment_id" in ours else None

    async def disputes_since(self, start: datetime) -> list[str]:
        """Answers the disputes that were begun since then, of whomever. Raises ProviderSilent."""
        since = {"created[gte]": str(int(start.timestamp()))}
        return [each["id"] async for each in self._all("disputes", since)]

    async def _search(self, kind: str, customer_id: str, payment_id: str) -> Object | None:
        """Finds what was made for a payment so long ago that its key is forgotten."""
        async for each in self._all(kind, {"customer": customer_id}):
            if each["metadata"].get("payment_id") == payment_id:
                return each
        return None

    async def _all(self, kind: str, query: Mapping[str, str]) -> AsyncIterator[Object]:
        """Answers all of a kind, page by page."""
        after: dict[str, str] = {}
        while True:
            try:
                page = await self._api.get(kind, limit=_PAGE, **query, **after)
            except StripeRefused as refused:
                raise ProviderSilent(refused.failure) from refused
            for each in page["data"]:
                yield each
            if not page.get("has_more"):
                return
            after = {"starting_after": page["data"][-1]["id"]}

    async def returns(self, provider_payment_id: str, currency: str) -> Sequence[Found]:
        """Answers all refunds of a PaymentIntent, the newest hundred."""
        try:
            page = await self._api.get("refunds", payment_intent=provider_payment_id, limit=_PAGE)
        except StripeRefused as refused:
            raise ProviderSilent(refused.failure) from refused
        return [
            Found(_returned(each), amount_of(each["amount"], currency), _ours(each)) for each in page["data"]
        ]

    async def _refund(self, provider_refund_id: str) -> Returned:
        try:
            return _returned(await self._api.get(f"refunds/{provider_refund_id}"))
        except StripeRefused as refused:
            raise ProviderSilent(refused.failure) from refused


def _outcome(intent: Object) -> Outcome:
    state = _STATES.get(intent["status"], pb.Payment.STATE_PENDING)
    error: dict[str, Any] = intent.get("last_payment_error") or {}
    return Outcome(
        state,
        intent["id"],
        (error.get("code") or "declined") if state == pb.Payment.STATE_FAILED else "",
        intent["client_secret"] if state == pb.Payment.STATE_ACTION_REQUIRED else "",
    )


def _ours(refund: Object) -> UUID | None:
    try:
        return UUID(refund["metadata"]["refund_id"])
    except (KeyError, TypeError, ValueError):
        return None


def _returned(refund: Object) -> Returned:
    return Returned(_REFUND_STATES.get(refund["status"], pb.Refund.STATE_PENDING), refund["id"])
