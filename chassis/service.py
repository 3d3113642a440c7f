"""The lifecycle of a service: what it stands on, what it is made of, start, serve, drain.

    run("billing", load(BillingSettings), wire)

`wire` gets the Runtime and answers the Parts. Nothing of it needs NATS or a peer to be up.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import grpc
import psycopg
import structlog
import uvloop
from alembic.script import ScriptDirectory

from chassis import telemetry
from chassis.access.employment import AccessCache, AccessSource
from chassis.access.invalidation import named_ids
from chassis.access.principals import Principals, PrincipalSource
from chassis.access.rules import RulesError
from chassis.access.sources import Sources
from chassis.auth.authenticate import Authenticator
from chassis.auth.keys import SigningKeys
from chassis.auth.peers import PeerSigner, PeerVerifier
from chassis.auth.tokens import JwksSource
from chassis.clock import Clock
from chassis.crypto.keyring import KeyFileWrong, Keyring
from chassis.database import Database
from chassis.database.migrate import is_current, script
from chassis.errors import DomainError
from chassis.events.bus import Bus, Notice
from chassis.events.consumer import Consumer
from chassis.events.relay import Relay
from chassis.events.retention import purge_inbox, purge_outbox
from chassis.events.runner import Runner
from chassis.idempotency import purge as purge_idempotency_keys
from chassis.jobs import Job, JobRunner
from chassis.rpc.client import Peers
from chassis.rpc.http import HttpPort
from chassis.rpc.server import AddServicer, RpcServer
from chassis.rpc.serving import Gatekeeper, Limits
from chassis.settings import ServiceSettings, SettingsError

S = TypeVar("S", bound=ServiceSettings)

_log = structlog.get_logger("chassis.service")

_PURGE_EVERY = timedelta(hours=6)
_READY_PATIENCE = 3.0


class Background(Protocol):
    """Work of a service that goes on for as long as it serves."""

    async def start(self) -> None:
        """Begins; answers once under way."""

    async def stop(self) -> None:
        """Finishes what is in hand and ends."""


class _Alive(Protocol):
    @property
    def alive(self) -> bool: ...


@dataclass(frozen=True)
class Runtime(Generic[S]):
    """What the chassis gives a service to work with."""

    service: str
    settings: S
    clock: Clock
    db: Database
    worker: Database
    bus: Bus
    peers: Peers
    keyring: Keyring
    principals: Principals
    access: AccessCache
    draining: asyncio.Event
    """Set when the process is about to end: long streams tell their clients to reconnect, and end."""


@dataclass
class Parts:
    """What a service is made of. The sources replace a question to a peer by a function of our own."""

    servicers: Sequence[tuple[AddServicer, object]] = ()
    consumers: Sequence[Consumer] = ()
    jobs: Sequence[Job] = ()
    background: Sequence[Background] = ()
    principals_source: PrincipalSource | None = None
    access_source: AccessSource | None = None
    jwks_source: JwksSource | None = None
    limits: Limits = field(default_factory=Limits)


Wire = Callable[[Runtime[S]], Parts | Awaitable[Parts]]


@dataclass(frozen=True)
class Running(Generic[S]):
    """A service that serves."""

    runtime: Runtime[S]
    host: str
    port: int
    metrics_port: int
    gate: Gatekeeper

    @property
    def address(self) -> str:
        """Where it serves gRPC, "host:port"."""
        return f"{self.host}:{self.port}"

    def channel(self) -> grpc.aio.Channel:
        """Opens a plain channel to it; the caller closes it."""
        return grpc.aio.insecure_channel(self.address)


def run(service: str, settings: S, wire: Wire[S], *, versions: Path | None = None) -> None:
    """Serves until SIGTERM or SIGINT, then drains; a second signal ends the process at once."""
    telemetry.configure_logs(service, settings.log_level)
    telemetry.configure_library_logs(service)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_told(service, settings, wire, versions))
    except (SettingsError, RulesError) as error:
        raise SystemExit(f"{service} refuses to start: {error}") from None


async def _until_told(service: str, settings: S, wire: Wire[S], versions: Path | None) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, told.set)
    async with start(service, settings, wire, versions=versions) as running:
        _log.info("serving", port=running.port, metrics_port=running.metrics_port)
        await told.wait()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)
        _log.info("draining", handlers=running.gate.load.running)
    _log.info("stopped")


@asynccontextmanager
async def start(
    service: str, settings: S, wire: Wire[S], *, versions: Path | None = None, clock: Clock | None = None
) -> AsyncIterator[Running[S]]:
    """Serves for as long as its block runs, then drains. An address that ends in ":0" takes a free port.

    `versions` names the folder of migrations if it is not the service's own. Raises SettingsError for
    an address that is taken or a key that cannot be read, RulesError for a method without access rule.
    """
    async with AsyncExitStack() as closing:
        if settings.otlp_endpoint:
            closing.callback(telemetry.export_traces(service, settings.otlp_endpoint).shutdown)
        runtime, sources = await _runtime(service, settings, clock or Clock(), closing)
        wired = wire(runtime)
        parts = await wired if inspect.isawaitable(wired) else wired
        _replace(sources, parts)
        gate = Gatekeeper(_authenticator(runtime, sources), runtime.access, parts.limits)
        server = RpcServer(
            parts.servicers,
            gate,
            production=settings.production,
            max_connection_age=settings.max_connection_age_seconds,
        )
        working = _Working(runtime, parts)
        http = HttpPort(working.wrong, _Readiness(runtime, script(service, versions)).wrong)
        metrics_port = await http.start(settings.metrics_address)
        closing.push_async_callback(http.stop)
        await working.start(closing)
        port = await server.start(settings.grpc_address)
        closing.push_async_callback(_drain, runtime, server)
        await server.tell_health(serving=True)
        host = settings.grpc_address.rpartition(":")[0]
        yield Running(runtime, host, port, metrics_port, gate)


async def _drain(runtime: Runtime[S], server: RpcServer) -> None:
    """Tells everyone that the end is near, and lets the calls at work end."""
    runtime.draining.set()
    await server.tell_health(serving=False)
    await server.drain(runtime.settings.drain_seconds)


async def _runtime(
    service: str, settings: S, clock: Clock, closing: AsyncExitStack
) -> tuple[Runtime[S], Sources]:
    signer = PeerSigner(service, settings.peer_key_file, clock)
    keyring = _keyring(settings)
    db = Database(settings.database_url, pool_size=settings.pool_size, clock=clock)
    closing.push_async_callback(db.close)
    worker = Database(settings.database_worker_url, pool_size=settings.pool_size, clock=clock)
    closing.push_async_callback(worker.close)
    bus = await Bus.connect(settings.nats_url, name=f"wrtn-{service}")
    closing.push_async_callback(bus.close)
    peers = Peers(signer, _addresses(settings))
    closing.push_async_callback(peers.close)
    sources = Sources(peers)
    principals = Principals(sources.principal_of)
    access = AccessCache(sources.access_of)
    _forget_on_change(bus, principals, access)
    runtime = Runtime(
        service, settings, clock, db, worker, bus, peers, keyring, principals, access, asyncio.Event()
    )
    return runtime, sources


def _keyring(settings: ServiceSettings) -> Keyring:
    try:
        return Keyring.from_file(settings.key_file)
    except (KeyFileWrong, OSError) as error:
        raise SettingsError(
            [f"WRTN_KEY_FILE: {settings.key_file.name} holds no keys that can be used"]
        ) from error


def _addresses(settings: ServiceSettings) -> dict[str, str]:
    """Answers where the peers are: each setting `<service>_address`."""
    own = ("grpc", "metrics")
    names = [
        each.name.removesuffix("_address") for each in fields(settings) if each.name.endswith("_address")
    ]
    return {name: getattr(settings, f"{name}_address") for name in names if name not in own}


def _forget_on_change(bus: Bus, principals: Principals, access: AccessCache) -> None:
    def changed_principals(notice: Notice) -> None:
        principals.drop(named_ids(notice.headers, notice.data))

    def changed_access(notice: Notice) -> None:
        access.drop(named_ids(notice.headers, notice.data))

    bus.listen("wrtn.identity.v1.>", changed_principals)
    bus.listen("wrtn.enterprise.v1.>", changed_access)


def _replace(sources: Sources, parts: Parts) -> None:
    sources.principals = parts.principals_source or sources.principals
    sources.access = parts.access_source or sources.access
    sources.jwks = parts.jwks_source or sources.jwks


def _authenticator(runtime: Runtime[S], sources: Sources) -> Authenticator:
    peer_verifier = PeerVerifier(runtime.service, runtime.settings.peer_keys_dir, runtime.clock)
    return Authenticator(SigningKeys(sources.keys), peer_verifier, runtime.principals, runtime.clock)


class _Working:
    """What goes on beside the calls: relay, consumers, jobs, and the service's own."""

    def __init__(self, runtime: Runtime[S], parts: Parts) -> None:
        self._bus = runtime.bus
        self._own = parts.background
        self._relay = Relay(runtime.worker, runtime.bus, runtime.service)
        self._runners = [Runner(runtime.db, runtime.bus, runtime.service, each) for each in parts.consumers]
        holder = f"{socket.gethostname()}/{os.getpid()}/{runtime.clock.secret(6)}"
        self._jobs = JobRunner(runtime.worker, [*parts.jobs, *_housekeeping(runtime)], holder)

    async def start(self, closing: AsyncExitStack) -> None:
        """Starts all; they end in the reverse order, the relay last, so that it sends what they published."""
        everything: list[Background] = [self._relay, *self._runners, self._jobs, *self._own]
        for each in everything:
            await each.start()
            closing.push_async_callback(each.stop)

    async def wrong(self) -> str:
        """Answers what has died and cannot come back but by a restart."""
        looked_after: list[tuple[str, _Alive]] = [
            ("bus", self._bus),
            ("relay", self._relay),
            ("jobs", self._jobs),
        ]
        looked_after += [("a consumer", runner) for runner in self._runners]
        dead = [name for name, each in looked_after if not each.alive]
        return f"dead: {', '.join(dead)}" if dead else ""


def _housekeeping(runtime: Runtime[S]) -> list[Job]:
    async def outbox() -> None:
        await purge_outbox(runtime.worker)

    async def inbox() -> None:
        await purge_inbox(runtime.worker)

    async def idempotency() -> None:
        await purge_idempotency_keys(runtime.db)

    return [
        Job("purge-outbox", _PURGE_EVERY, outbox),
        Job("purge-inbox", _PURGE_EVERY, inbox),
        Job("purge-idempotency-keys", _PURGE_EVERY, idempotency),
    ]


class _Readiness:
    """Ready means: not draining, the database answers, and its migrations are those of this release."""

    def __init__(self, runtime: Runtime[S], known: ScriptDirectory) -> None:
        self._runtime = runtime
        self._known = known

    async def wrong(self) -> str:
        """Answers why no calls should come here now."""
        if self._runtime.draining.is_set():
            return "draining"
        try:
            async with asyncio.timeout(_READY_PATIENCE):
                current = await is_current(self._runtime.db, self._known)
        except (DomainError, psycopg.Error, TimeoutError):
            return "the database does not answer"
        return "" if current else "the database is not migrated"
