"""Tax rates by the buyer's country, as the setting WRTN_TAX_RATES says them: "DE=19,KR=10"."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from chassis.settings import SettingsError


def rates(text: str) -> Mapping[str, Decimal]:
    """Reads the rates, in percent; raises SettingsError. Countries that are not named are not taxed."""
    found: dict[str, Decimal] = {}
    for each in filter(None, (part.strip() for part in text.split(","))):
        country, _, rate = each.partition("=")
        try:
            found[country] = Decimal(rate)
        except InvalidOperation:
            raise _wrong() from None
        if len(country) != 2 or not country.isupper() or not 0 <= found[country] <= 100:
            raise _wrong()
    return found


def _wrong() -> SettingsError:
    return SettingsError(["WRTN_TAX_RATES must be countries with percents: DE=19,KR=10"])
