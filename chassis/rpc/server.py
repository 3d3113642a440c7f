"""The gRPC server of a service: its methods behind the interceptor, health and reflection."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from chassis.access.rules import rules_of
from chassis.rpc.interceptor import Handler, Interceptor
from chassis.rpc.serving import Gatekeeper
from chassis.settings import SettingsError

MEBIBYTE = 1024 * 1024
LARGEST_MESSAGE = 4 * MEBIBYTE

AddServicer = Callable[[Any, Any], None]
"""A generated `add_<Service>Servicer_to_server`."""


class _Collector:
    """Stands in for a server while servicers are added, to learn which services they are.

    Generated code registers each method with the server as well as handing over a generic handler of the
    service. The server gets the generic ones alone: grpc.aio waits for the next call of each registered
    method at once, and looks through all of these waits at every call of any (decision 0186).
    """

    def __init__(self) -> None:
        self.services: list[str] = []
        self.handlers: list[grpc.GenericRpcHandler] = []

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        self.handlers += handlers

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        self.services.append(service)


class RpcServer:
    """Serves gRPC. It refuses to be built if one of its methods has no access rule (RulesError)."""

    def __init__(
        self,
        servicers: Sequence[tuple[AddServicer, object]],
        gate: Gatekeeper,
        *,
        production: bool = False,
        max_connection_age: float | None = None,
    ) -> None:
        collector = _Collector()
        for add, servicer in servicers:
            _describe(add)
            add(servicer, collector)
        self._services = tuple(collector.services)
        self._gate = gate
        self._health = HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, collector)
        self._server = grpc.aio.server(
            interceptors=[Interceptor(gate, rules_of(self._services))], options=_options(max_connection_age)
        )
        self._server.add_generic_rpc_handlers(collector.handlers)
        if not production:
            shown = (*self._services, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name)
            reflection.enable_server_reflection((*shown, reflection.SERVICE_NAME), self._server)

    async def start(self, address: str) -> int:
        """Listens on "host:port" and answers the port; raises SettingsError if the address is taken."""
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise SettingsError([f"WRTN_GRPC_ADDRESS: cannot listen on {address}; is it taken?"]) from error
        await self._server.start()
        return port

    async def tell_health(self, *, serving: bool) -> None:
        """Sets the health of the server and of each service."""
        state = (
            health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for name in ("", *self._services):
            await self._health.set(name, state)

    async def drain(self, seconds: float) -> None:
        """Takes no new calls, lets the running ones end for so many seconds, and cancels the rest.

        grpc.aio's `stop` answers before the handlers it cancels have ended, so they are counted here:
        afterwards none is at work, unless one refuses to be cancelled for another five seconds.
        """
        await self._server.stop(seconds)
        try:
            async with asyncio.timeout(5):
                await self._gate.load.idle()
        except TimeoutError:
            pass


def _options(max_connection_age: float | None) -> list[tuple[str, Any]]:
    options: list[tuple[str, Any]] = [
        # Two processes on one port would share its calls unnoticed.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", LARGEST_MESSAGE),
        ("grpc.max_metadata_size", 32 * 1024),
        # Clients may ping every ten seconds, to notice a half-open connection.
        ("grpc.http2.min_ping_interval_without_data_ms", 9_000),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
    ]
    if max_connection_age is not None:
        options += [
            ("grpc.max_connection_age_ms", int(max_connection_age * 1000)),
            ("grpc.max_connection_age_grace_ms", 60_000),
        ]
    return options


def _describe(add: AddServicer) -> None:
    """Loads the file that describes the service: generated code loads those of its messages alone."""
    if add.__module__.startswith("wrtn."):
        importlib.import_module(add.__module__.removesuffix("_grpc"))
