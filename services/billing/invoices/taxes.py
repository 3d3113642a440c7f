"""Taxes by the buyer's country, as the settings say them: "DE=19,KR=10", and where the seller is taxed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from stdnum import get_cc_module

from chassis.settings import SettingsError
from wrtn.billing.v1.invoice_settings_pb2 import InvoiceSettings

REVERSE_CHARGE = "Reverse charge: the recipient is liable for the tax."
"""What an invoice without tax has to say to a business in another country."""


class Tax(NamedTuple):
    """The tax on an invoice."""

    rate: Decimal
    """In percent."""
    reverse_charge: bool
    """Whether the buyer owes it to their own tax office, instead of the seller."""


@dataclass(frozen=True, slots=True)
class Taxes:
    """What is taxed how. Without the seller's country nobody is elsewhere."""

    rates: Mapping[str, Decimal]
    """In percent, by country."""
    seller_country: str = ""

    def on(self, buyer: InvoiceSettings) -> Tax:
        """Answers the tax on what a buyer buys: none for a business elsewhere, which shows its tax id."""
        elsewhere = bool(self.seller_country and buyer.country) and buyer.country != self.seller_country
        if elsewhere and is_tax_id(buyer.country, buyer.tax_id):
            return Tax(Decimal(0), reverse_charge=True)
        return Tax(self.rates.get(buyer.country, Decimal(0)), reverse_charge=False)


def read(rates: str, seller_country: str) -> Taxes:
    """Reads the settings; raises SettingsError. Countries that are not named are not taxed."""
    if seller_country and not _is_country(seller_country):
        raise SettingsError(["WRTN_SELLER_COUNTRY must be a country of two letters: DE"])
    return Taxes(_rates(rates), seller_country)


def is_tax_id(country: str, number: str) -> bool:
    """Whether the number is one that the tax office of a country would give a business, by its check digits.

    Whether it was given to this one is not asked (VIES). False for countries without such numbers.
    """
    module = get_cc_module(country.lower(), "vat")
    return module is not None and bool(module.is_valid(number))


def _rates(text: str) -> Mapping[str, Decimal]:
    found: dict[str, Decimal] = {}
    for each in filter(None, (part.strip() for part in text.split(","))):
        country, _, rate = each.partition("=")
        try:
            found[country] = Decimal(rate)
        except InvalidOperation:
            raise _wrong() from None
        if not _is_country(country) or not 0 <= found[country] <= 100:
            raise _wrong()
    return found


def _is_country(text: str) -> bool:
    return len(text) == 2 and text.isascii() and text.isupper()


def _wrong() -> SettingsError:
    return SettingsError(["WRTN_TAX_RATES must be countries with percents: DE=19,KR=10"])
