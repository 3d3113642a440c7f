"""The enterprise service, served for real, with an identity beside it."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from chassis.clock import Clock
from chassis.embedded.nats import Nats
from chassis.service import start
from chassis.settings import ServiceSettings
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory
from services.enterprise.main import wire
from tests.enterprise.identity import Identity, serving
from tests.enterprise.make import World


@pytest_asyncio.fixture
async def world(
    database: DatabaseFactory, nats: Nats, clock: Clock, callers: Callers, tmp_path: Path
) -> AsyncIterator[World]:
    """The running service on a fresh database."""
    made = await database("enterprise")
    key_file = tmp_path / "keys"
    key_file.write_text(base64.b64encode(os.urandom(32)).decode())
    identity = Identity(clock)
    async with serving(identity) as identity_address:
        settings = ServiceSettings(
            grpc_address="127.0.0.1:0",
            metrics_address="127.0.0.1:0",
            database_url=made.urls.app,
            database_worker_url=made.urls.worker,
            nats_url=nats.url,
            key_file=key_file,
            peer_key_file=callers.private_key("enterprise"),
            peer_keys_dir=callers.peer_keys_dir,
            identity_address=identity_address,
            enterprise_address="127.0.0.1:1",
        )
        async with start("enterprise", settings, wire) as running, running.channel() as channel:
            yield World(running, identity, made, channel, callers.peer("billing", "enterprise"))
