"""What enterprise needs besides what every service does."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.settings import ServiceSettings, SettingsError


@dataclass(frozen=True, kw_only=True)
class EnterpriseSettings(ServiceSettings):
    """The settings of the service."""

    dns_server: str | None = None
    """The DNS server that is asked for names and proofs, "address:port"; without it the machine's own."""
    webhooks_inside: bool = False
    """Lets webhooks reach inside addresses, by plain http too: for local runs and tests."""

    def __post_init__(self) -> None:
        """Refuses what would open the inside of a production network to customers."""
        if self.production and self.webhooks_inside:
            raise SettingsError(["WRTN_WEBHOOKS_INSIDE is set in production"])
