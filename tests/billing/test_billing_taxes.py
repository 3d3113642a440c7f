"""The tax on invoices: by the buyer's country, and none for businesses elsewhere, which owe it there."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from chassis.settings import SettingsError
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory
from chassis.testing.serving import Serve
from services.billing.invoices import taxes
from services.billing.invoices.taxes import REVERSE_CHARGE, Tax
from tests.billing.buyers import found, opened
from tests.billing.invoices import bill_to, preview, printed
from wrtn.billing.v1 import invoice_settings_pb2

FRENCH = "FR 40 303 265 045"


@pytest.mark.parametrize(
    ("seller", "country", "tax_id", "tax"),
    [
        ("DE", "FR", FRENCH, Tax(Decimal(0), True)),
        # No business that shows its number, or one whose check digits are wrong.
        ("DE", "FR", "", Tax(Decimal(20), False)),
        ("DE", "FR", "FR40303265046", Tax(Decimal(20), False)),
        # At home, of another country than said, of a country without such numbers.
        ("DE", "DE", "DE136695976", Tax(Decimal(19), False)),
        ("DE", "FR", "DE136695976", Tax(Decimal(20), False)),
        ("DE", "US", "91-1144442", Tax(Decimal(0), False)),
        ("DE", "GR", "EL023456780", Tax(Decimal(0), True)),
        ("DE", "", FRENCH, Tax(Decimal(0), False)),
        ("", "FR", FRENCH, Tax(Decimal(20), False)),
    ],
)
def test_a_business_elsewhere_with_a_valid_tax_id_is_charged_none(
    seller: str, country: str, tax_id: str, tax: Tax
) -> None:
    buyer = invoice_settings_pb2.InvoiceSettings(country=country, tax_id=tax_id)
    assert taxes.read("DE=19, FR=20", seller).on(buyer) == tax


@pytest.mark.parametrize(
    ("rates", "seller"),
    [("DE", ""), ("DE=x", ""), ("DE=101", ""), ("de=19", ""), ("", "Germany"), ("", "de")],
)
def test_settings_that_cannot_be_are_refused(rates: str, seller: str) -> None:
    with pytest.raises(SettingsError):
        taxes.read(rates, seller)


async def test_the_invoice_says_that_the_buyer_owes_the_tax_and_keeps_saying_so(
    database: DatabaseFactory, serve: Serve, callers: Callers
) -> None:
    async with opened(database, serve, callers, tax_rates="DE=19,FR=20", seller_country="DE") as made:
        buyer = await found(made)
        await bill_to(buyer, "Acheteur", "FR", tax_id=FRENCH)
        await buyer.use(1_000_000, datetime(2026, 11, 10, tzinfo=UTC))
        buyer.at(2026, 11, 11)
        assert (await preview(buyer)).tax_note
        (invoice,) = await buyer.invoiced(2026, 12, 1, 1)
        assert (invoice.subtotal, invoice.tax_rate, invoice.tax, invoice.total) == (
            "2.00",
            "0",
            "0.00",
            "2.00",
        )
        assert invoice.tax_note == REVERSE_CHARGE
        assert "tax" not in await buyer.balances()
        assert REVERSE_CHARGE in await printed(buyer, invoice)
        await bill_to(buyer, "Acheteur", "FR")
        await buyer.use(1_000_000, datetime(2026, 12, 10, tzinfo=UTC))
        first, second = await buyer.invoiced(2027, 1, 1, 1)
        assert (first.tax_note, second.tax_note, second.tax) == (REVERSE_CHARGE, "", "0.40")
