"""The gateway before a running billing service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from chassis.service import Running
from gateway.app import opened
from gateway.settings import Settings
from services.billing.settings import BillingSettings

DESCRIPTORS = Path(__file__).parents[2] / "wrtn" / "descriptors.binpb"


@asynccontextmanager
async def gateway(running: Running[BillingSettings]) -> AsyncIterator[httpx.AsyncClient]:
    """Answers its client."""
    backends = (("wrtn.billing.v1", running.address),)
    settings = Settings(descriptor_set=DESCRIPTORS, backends=backends, metrics_port=0, docs=False)
    async with opened(settings) as app:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield client
