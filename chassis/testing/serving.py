"""Whole services in the test's process: real gRPC, real PostgreSQL, real NATS, callers of our making."""

from __future__ import annotations

import base64
import inspect
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest_asyncio

from chassis.clock import Clock
from chassis.embedded.nats import Nats
from chassis.service import Parts, Running, Runtime, Wire, start
from chassis.settings import ServiceSettings
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory, ServiceDatabase

S = TypeVar("S", bound=ServiceSettings)

NOWHERE = "127.0.0.1:1"
"""An address where nobody listens: the peers that a test does not serve."""


def settings_of(
    kind: type[S], service: str, database: ServiceDatabase, nats_url: str, callers: Callers, **more: Any
) -> S:
    """Builds the settings of a service under test; `more` are its own fields, or other values."""
    secrets = callers.peer_keys_dir.parent
    key_file = secrets / "keys"
    if not key_file.exists():
        key_file.write_text(base64.b64encode(bytes(range(32))).decode() + "\n")
    given: dict[str, Any] = {
        "grpc_address": "127.0.0.1:0",
        "metrics_address": "127.0.0.1:0",
        "database_url": database.urls.app,
        "database_worker_url": database.urls.worker,
        "nats_url": nats_url,
        "key_file": key_file,
        "peer_key_file": callers.private_key(service),
        "peer_keys_dir": callers.peer_keys_dir,
        "identity_address": NOWHERE,
        "enterprise_address": NOWHERE,
        "drain_seconds": 2.0,
        "pool_size": 5,
    }
    # What a service adds of peers is nowhere, too.
    own = {each.name for each in fields(kind) if each.name.endswith("_address")}
    return kind(**(dict.fromkeys(own, NOWHERE) | given | more))


def with_callers(wire: Wire[S], callers: Callers) -> Wire[S]:
    """Has the callers answer for identity and enterprise, where the service does not answer itself."""

    async def wired(runtime: Runtime[S]) -> Parts:
        made = wire(runtime)
        parts = await made if inspect.isawaitable(made) else made
        parts.principals_source = parts.principals_source or callers.principal
        parts.access_source = parts.access_source or callers.access
        parts.jwks_source = parts.jwks_source or callers.jwks
        return parts

    return wired


class Serve(Protocol):
    """`running = await serve("billing", BillingSettings, wire)`; it is drained when the test ends.

    `database` is one that the test has already; `versions` a folder of migrations other than the
    service's own. With `known=False` the service asks its real peers about callers.
    """

    async def __call__(
        self,
        service: str,
        kind: type[S],
        wire: Wire[S],
        *,
        database: ServiceDatabase | None = None,
        versions: Path | None = None,
        known: bool = True,
        clock: Clock | None = None,
        **more: Any,
    ) -> Running[S]: ...


@pytest_asyncio.fixture
async def serve(database: DatabaseFactory, nats: Nats, callers: Callers) -> AsyncIterator[Serve]:
    """Answers a function that starts services."""
    async with starting(database, nats, callers) as start_one:
        yield start_one


@asynccontextmanager
async def starting(factory: DatabaseFactory, nats: Nats, callers: Callers) -> AsyncIterator[Serve]:
    """Answers a function that starts services, drained at the end: for a world of several tests."""
    async with AsyncExitStack() as stack:

        async def start_one(
            service: str,
            kind: type[S],
            wire: Wire[S],
            *,
            database: ServiceDatabase | None = None,
            versions: Path | None = None,
            known: bool = True,
            clock: Clock | None = None,
            **more: Any,
        ) -> Running[S]:
            data = database or await factory(service, versions=versions)
            settings = settings_of(kind, service, data, nats.url, callers, **more)
            wired = with_callers(wire, callers) if known else wire
            serving: AbstractAsyncContextManager[Running[S]] = start(
                service, settings, wired, versions=versions, clock=clock
            )
            return await stack.enter_async_context(serving)

        yield start_one
