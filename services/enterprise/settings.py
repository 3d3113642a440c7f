"""What enterprise needs besides what every service does."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.settings import ServiceSettings


@dataclass(frozen=True, kw_only=True)
class EnterpriseSettings(ServiceSettings):
    """The settings of the service."""

    dns_server: str | None = None
    """The DNS server that is asked for names and proofs, "address:port"; without it the machine's own."""
