"""Channels to the backends: found by package or service name, quick to fail and to come back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence

import grpc
from grpc_health.v1 import health_pb2

from gateway.schema import Binding

MAX_RESPONSE_BYTES = 64 * 1024 * 1024
_HEALTH = "/grpc.health.v1.Health/Check"


class Backends:
    """The channels, one an address. Must be made inside the running event loop."""

    def __init__(self, pairs: Sequence[tuple[str, str]], bindings: Iterable[Binding]) -> None:
        self._pairs = sorted(pairs, key=lambda pair: -len(pair[0]))
        options = _options(bindings)
        self._channels = {
            address: grpc.aio.insecure_channel(address, options=options)
            for address in {pair[1] for pair in pairs}
        }

    def channel(self, service: str) -> grpc.aio.Channel | None:
        """Answers the channel of a service by its full name; the longest name given wins."""
        for name, address in self._pairs:
            if service == name or service.startswith(name + "."):
                return self._channels[address]
        return None

    async def health(self, timeout_seconds: float = 1.0) -> dict[str, str]:
        """Asks every backend: "serving", "not serving" or "unreachable", by the names that it was given.

        A backend without the health service (UNIMPLEMENTED) serves, since it answers. Addresses are not
        told: who asks may stand outside.
        """
        answers = await asyncio.gather(*(_ask(each, timeout_seconds) for each in self._channels.values()))
        found = dict(zip(self._channels, answers, strict=True))
        return {name: found[address] for name, address in self._pairs}

    async def close(self) -> None:
        """Closes the channels; calls still open are cancelled."""
        await asyncio.gather(*(channel.close() for channel in self._channels.values()))


async def _ask(channel: grpc.aio.Channel, timeout_seconds: float) -> str:
    call = channel.unary_unary(
        _HEALTH,
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    try:
        answer = await call(health_pb2.HealthCheckRequest(), timeout=timeout_seconds)
    except grpc.aio.AioRpcError as error:
        return "serving" if error.code() is grpc.StatusCode.UNIMPLEMENTED else "unreachable"
    return "serving" if answer.status == health_pb2.HealthCheckResponse.SERVING else "not serving"


def _options(bindings: Iterable[Binding]) -> list[tuple[str, str | int]]:
    return [
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.max_receive_message_length", MAX_RESPONSE_BYTES),
        ("grpc.max_send_message_length", -1),
        # Several gateways in one process (tests) must not share a broken connection.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_retries", 1),
        ("grpc.service_config", json.dumps(_service_config(bindings))),
    ]


def _service_config(bindings: Iterable[Binding]) -> dict[str, object]:
    """Sends once more what a method declares to be without side effects, when the backend was away."""
    safe = {(each.method.parent.type_name, each.method.name) for each in bindings if each.safe}
    if not safe:
        return {}
    policy = {
        "maxAttempts": 2,
        "initialBackoff": "0.05s",
        "maxBackoff": "0.2s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    names = [{"service": service, "method": method} for service, method in sorted(safe)]
    return {"methodConfig": [{"name": names, "retryPolicy": policy}]}
