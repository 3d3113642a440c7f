"""The settings of billing."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.settings import ServiceSettings


@dataclass(frozen=True, kw_only=True)
class BillingSettings(ServiceSettings):
    """Those of every service, and the peer that says how far usage is published."""

    sessions_address: str
