"""Channels to the peer services: they carry our token and trace, and what is left of the call's deadline."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from chassis import telemetry
from chassis.auth.peers import PeerSigner
from chassis.call import current_or_none
from chassis.errors import DeadlineExceeded

DEFAULT_DEADLINE = 5.0
"""Seconds of a unary call that is made outside of any call, as by a job or a consumer."""

_SAFE = (MethodOptions.NO_SIDE_EFFECTS, MethodOptions.IDEMPOTENT)

S = TypeVar("S")


class PeerOutOfTime(DeadlineExceeded):
    """The deadline of the call being served left no time for a call to a peer."""


class Peers:
    """Makes stubs of peer services. `addresses` are "host:port" by service name."""

    def __init__(self, signer: PeerSigner, addresses: dict[str, str]) -> None:
        self._signer = signer
        self._addresses = addresses
        self._channels: dict[tuple[str, str], grpc.aio.Channel] = {}
        self._stubs: dict[tuple[type, str], Any] = {}

    def stub(self, kind: Callable[[grpc.aio.Channel], S], peer: str) -> S:
        """Answers a stub of this generated class for the service, "identity" say. Connects at its first call.

        Its calls raise grpc.aio.AioRpcError; UNAVAILABLE is retried for methods that are safe to repeat.
        """
        key = (kind, peer)
        if key not in self._stubs:
            self._stubs[key] = kind(_PeerChannel(self, peer))  # type: ignore[arg-type, index]
        return self._stubs[key]  # type: ignore[index, no-any-return]

    async def close(self) -> None:
        """Closes the channels."""
        for channel in self._channels.values():
            await channel.close()

    def token(self, peer: str) -> str:
        """Answers the authorization metadata for calls to the peer."""
        return f"Bearer {self._signer.token(peer)}"

    def channel(self, peer: str, service: str) -> grpc.aio.Channel:
        """Answers the channel for one gRPC service of the peer, with the retries its descriptor allows."""
        key = (peer, service)
        if key not in self._channels:
            self._channels[key] = grpc.aio.insecure_channel(self._addresses[peer], options=_options(service))
        return self._channels[key]


class _PeerChannel:
    """What a generated stub takes for a channel. It adds to each call what the chassis owes the peer.

    grpc.aio's own client interceptors would cost a task a call.
    """

    def __init__(self, peers: Peers, peer: str) -> None:
        self._peers = peers
        self._peer = peer

    def unary_unary(self, path: str, *codec: Any, **named: Any) -> Callable[..., Any]:
        return self._call(self._multi("unary_unary", path, codec, named), DEFAULT_DEADLINE)

    def stream_unary(self, path: str, *codec: Any, **named: Any) -> Callable[..., Any]:
        return self._call(self._multi("stream_unary", path, codec, named), None)

    def unary_stream(self, path: str, *codec: Any, **named: Any) -> Callable[..., Any]:
        return self._call(self._multi("unary_stream", path, codec, named), None)

    def stream_stream(self, path: str, *codec: Any, **named: Any) -> Callable[..., Any]:
        return self._call(self._multi("stream_stream", path, codec, named), None)

    def _multi(
        self, shape: str, path: str, codec: tuple[Any, ...], named: dict[str, Any]
    ) -> Callable[..., Any]:
        channel = self._peers.channel(self._peer, path.split("/")[1])
        return getattr(channel, shape)(path, *codec, **named)  # type: ignore[no-any-return]

    def _call(self, multi: Callable[..., Any], default: float | None) -> Callable[..., Any]:
        def call(
            request: Any = None,
            *,
            timeout: float | None = None,
            metadata: Iterable[tuple[str, str]] = (),
            **named: Any,
        ) -> Any:
            headers = [*metadata, ("authorization", self._peers.token(self._peer))]
            trace = telemetry.traceparent()
            if trace is not None:
                headers.append((telemetry.TRACEPARENT, trace))
            return multi(request, timeout=_time_left(timeout, default), metadata=headers, **named)

        return call


def _time_left(wanted: float | None, default: float | None) -> float | None:
    """Answers the least of what is wanted and what is left of the current call, else the default."""
    call = current_or_none()
    left = call.remaining() if call is not None else None
    if left is not None and left <= 0:
        raise PeerOutOfTime("The call took too long.")
    bounds = [bound for bound in (wanted, left) if bound is not None]
    return min(bounds) if bounds else default


def service_config(service: str) -> str:
    """Builds gRPC's service config: methods that are safe to repeat are retried on UNAVAILABLE."""
    methods: Iterable[MethodDescriptor] = descriptor_pool.Default().FindServiceByName(service).methods
    safe = [each.name for each in methods if each.GetOptions().idempotency_level in _SAFE]
    policy = {
        "maxAttempts": 4,
        "initialBackoff": "0.05s",
        "maxBackoff": "0.5s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    names = [{"service": service, "method": name} for name in safe]
    return json.dumps({"methodConfig": [{"name": names, "retryPolicy": policy}] if names else []})


def _options(service: str) -> list[tuple[str, Any]]:
    return [
        ("grpc.service_config", service_config(service)),
        ("grpc.enable_retries", 1),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ]
