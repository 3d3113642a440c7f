"""The settings of billing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chassis.settings import ServiceSettings, SettingsError
from services.billing.invoices import taxes
from services.billing.invoices.taxes import Taxes
from services.billing.payments import schedule
from services.billing.payments.schedule import Schedule
from services.billing.payments.stripe.api import StripeKeys


@dataclass(frozen=True, kw_only=True)
class BillingSettings(ServiceSettings):
    """Those of every service, the peer that says how far usage is published, and the card provider."""

    sessions_address: str
    tax_rates: str = ""
    """Percents by the buyer's country, as in "DE=19,KR=10"; countries that are not named are not taxed."""
    seller_country: str = ""
    """Where the seller is taxed, as in "DE": businesses elsewhere that have a tax id owe the tax there."""
    seller: str = ""
    """Who invoices, as it stands on invoices: name, address, tax id; lines divided by "|"."""
    dunning_days: str = "1,3,5,7,14,21,28"
    """On which days after an invoice was due its payer is reminded, and the card charged again."""
    overdue_day: int = 14
    """Which of these days ends the grace: others are told that the tenant is overdue."""
    stripe_secret_key_file: Path | None = None
    """The file with Stripe's secret key; without it there are no cards."""
    stripe_webhook_secret_file: Path | None = None
    """The file with the secret by which Stripe signs what it sends to /v1/paymentProviders/stripe/webhook."""
    stripe_publishable_key: str = ""
    """The key by which pages speak to Stripe. It is no secret."""
    stripe_url: str = "https://api.stripe.com"

    def taxes(self) -> Taxes:
        """Answers how invoices are taxed; raises SettingsError."""
        return taxes.read(self.tax_rates, self.seller_country)

    def dunning(self) -> Schedule:
        """Answers when dunning takes its steps; raises SettingsError."""
        return schedule.read(self.dunning_days, self.overdue_day)

    def stripe(self) -> StripeKeys | None:
        """Answers how Stripe is called, None where it is not; raises SettingsError for half of it."""
        files = (self.stripe_secret_key_file, self.stripe_webhook_secret_file)
        if not any(files) and not self.stripe_publishable_key:
            return None
        secret, webhook = (
            _read(f"WRTN_STRIPE_{name}_FILE", path)
            for name, path in zip(("SECRET_KEY", "WEBHOOK_SECRET"), files, strict=True)
        )
        if not self.stripe_publishable_key:
            raise SettingsError(["WRTN_STRIPE_PUBLISHABLE_KEY is not set"])
        return StripeKeys(self.stripe_url, secret, webhook, self.stripe_publishable_key)


def _read(setting: str, path: Path | None) -> str:
    if path is None:
        raise SettingsError([f"{setting} is not set"])
    try:
        found = path.read_text().strip()
    except OSError as error:
        raise SettingsError([f"{setting} cannot be read"]) from error
    if not found:
        raise SettingsError([f"{setting} is empty"])
    return found
