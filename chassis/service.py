"""The lifecycle of a service: what it stands on, what it is made of, start, serve, drain.

    run("billing", load(BillingSettings), wire)

`wire` gets the Runtime and answers the Parts. Nothing of it needs NATS or a peer to be up.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Generic

import grpc
import structlog
import uvloop

from chassis import telemetry
from chassis.access.employment import AccessCache
from chassis.access.invalidation import AUDITED, changed_ids, named_ids
from chassis.access.principals import Principals
from chassis.access.rules import RulesError
from chassis.access.sources import Sources
from chassis.audit.recording import AuditTrail
from chassis.auth.authenticate import Authenticator
from chassis.auth.keys import SigningKeys
from chassis.auth.peers import PeerSigner, PeerVerifier
from chassis.clock import Clock
from chassis.crypto.keyring import KeyFileWrong, Keyring
from chassis.database import Database
from chassis.database.migrate import script
from chassis.events.bus import Bus, Notice
from chassis.events.envelope import subject_of
from chassis.rpc.client import Peers
from chassis.rpc.http import HttpPort
from chassis.rpc.origins import Origins
from chassis.rpc.server import RpcServer
from chassis.rpc.serving import Gatekeeper
from chassis.runtime import Background, Parts, Runtime, S, S_co, Wire
from chassis.settings import ServiceSettings, SettingsError
from chassis.upkeep import Readiness, Upkeep
from wrtn.identity.v1.events_pb2 import EnterpriseHoldChanged, SignInPolicyChanged

__all__ = ["Background", "Parts", "Running", "Runtime", "Wire", "run", "start"]


_OF_TENANTS = frozenset({subject_of(SignInPolicyChanged), subject_of(EnterpriseHoldChanged)})
"""What changes for all who act in a tenant."""

_log = structlog.get_logger("chassis.service")


@dataclass(frozen=True)
class Running(Generic[S_co]):
    """A service that serves."""

    runtime: Runtime[S_co]
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
        # What was made until here stays: the collector need not walk through it again and again.
        gc.collect()
        gc.freeze()
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
        gate = Gatekeeper(
            _authenticator(runtime, sources), runtime.access, parts.limits, _origins(runtime.settings)
        )
        server = RpcServer(
            parts.servicers,
            gate,
            production=settings.production,
            max_connection_age=settings.max_connection_age_seconds,
        )
        working = Upkeep(runtime, parts)
        http = HttpPort(working.wrong, Readiness(runtime, script(service, versions)).wrong)
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
    db.auditor = AuditTrail(service, keyring)
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


def _origins(settings: ServiceSettings) -> Origins:
    try:
        return Origins(settings.trusted_gateways)
    except ValueError as error:
        raise SettingsError(["WRTN_TRUSTED_GATEWAYS is no list of networks"]) from error


def _addresses(settings: ServiceSettings) -> dict[str, str]:
    """Answers where the peers are: each setting `<service>_address`."""
    own = ("grpc", "metrics")
    names = [
        each.name.removesuffix("_address") for each in fields(settings) if each.name.endswith("_address")
    ]
    return {name: getattr(settings, f"{name}_address") for name in names if name not in own}


def _forget_on_change(bus: Bus, principals: Principals, access: AccessCache) -> None:
    def changed_principals(notice: Notice) -> None:
        if notice.subject.endswith(AUDITED):
            return
        ids = named_ids(notice.headers, notice.data)
        principals.drop(ids)
        if notice.subject in _OF_TENANTS:
            principals.drop_tenants(ids)

    def changed_access(notice: Notice) -> None:
        access.drop(changed_ids(notice.subject, notice.headers, notice.data))

    bus.listen("wrtn.identity.v1.>", changed_principals)
    bus.listen("wrtn.enterprise.v1.>", changed_access)


def _replace(sources: Sources, parts: Parts) -> None:
    sources.principals = parts.principals_source or sources.principals
    sources.access = parts.access_source or sources.access
    sources.jwks = parts.jwks_source or sources.jwks


def _authenticator(runtime: Runtime[S], sources: Sources) -> Authenticator:
    peer_verifier = PeerVerifier(runtime.service, runtime.settings.peer_keys_dir, runtime.clock)
    return Authenticator(SigningKeys(sources.keys), peer_verifier, runtime.principals, runtime.clock)
