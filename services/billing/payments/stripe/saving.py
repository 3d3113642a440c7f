"""Saving cards at Stripe: customers, SetupIntents and payment methods."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from services.billing.errors import CardDeclined, PaymentSetupNotFound, PaymentSetupUnfinished
from services.billing.payments.stripe.api import Api, Object, StripeRefused


class Setup(NamedTuple):
    """What was begun: the page gives the card to Stripe with the secret."""

    id: str
    client_secret: str


class Saved(NamedTuple):
    """What may be shown of a saved card, and how Stripe calls it."""

    method_id: str
    brand: str
    last_digits: str
    expire_month: int
    expire_year: int


class Saving:
    """Saves cards. Every method raises ProviderSilent while Stripe does not answer."""

    def __init__(self, api: Api, publishable_key: str) -> None:
        self._api = api
        self.publishable_key = publishable_key
        """By which the page speaks to Stripe."""

    async def customer(self, tenant_id: UUID) -> str:
        """Makes the tenant known to Stripe, by its id alone; answers how Stripe calls it."""
        form = {"metadata[tenant_id]": str(tenant_id)}
        return str((await self._api.post("customers", form, f"customer-{tenant_id}"))["id"])

    async def begin(self, customer_id: str, key: str) -> Setup:
        """Begins to save a card for automatic payments; the same key begins one setup."""
        form = {"customer": customer_id, "usage": "off_session", "payment_method_types[]": "card"}
        made = await self._api.post("setup_intents", form, f"setup-{key}")
        return Setup(made["id"], made["client_secret"])

    async def finish(self, setup_id: str, customer_id: str) -> Saved:
        """Answers the card that the page gave.

        Raises PaymentSetupNotFound for another's setup, PaymentSetupUnfinished and CardDeclined.
        """
        try:
            setup = await self._api.get(f"setup_intents/{setup_id}")
        except StripeRefused as refused:
            raise _not_found() from refused
        if setup["customer"] != customer_id:
            raise _not_found()
        if setup["status"] != "succeeded":
            raise PaymentSetupUnfinished("Give the card to the provider first.", field="setup_id")
        try:
            return _saved(await self._attached(setup["payment_method"], customer_id))
        except StripeRefused as refused:
            raise CardDeclined(
                "The card is declined: try another one.", field="setup_id", failure=refused.failure
            ) from refused

    async def detach(self, method_id: str) -> None:
        """Has Stripe forget the card; one that it does not know is forgotten."""
        try:
            await self._api.post(f"payment_methods/{method_id}/detach", {}, f"detach-{method_id}")
        except StripeRefused:
            return

    async def _attached(self, method_id: str, customer_id: str) -> Object:
        method = await self._api.get(f"payment_methods/{method_id}")
        if method.get("customer") == customer_id:
            return method
        form = {"customer": customer_id}
        return await self._api.post(f"payment_methods/{method_id}/attach", form, f"attach-{method_id}")


def _saved(method: Object) -> Saved:
    card = method["card"]
    return Saved(method["id"], card["brand"], card["last4"], card["exp_month"], card["exp_year"])


def _not_found() -> PaymentSetupNotFound:
    return PaymentSetupNotFound("There is no such setup.", field="setup_id")
