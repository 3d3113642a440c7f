"""What all requests to one binding share, and how its RPC is called."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from protobuf import DescFieldValueMessage, Message, Registry

from gateway import codec, negotiation
from gateway.assembly import Assembler
from gateway.exchange import Exchange, Gone
from gateway.headers import Metadata, client_address, metadata
from gateway.limiting import RouteClass
from gateway.problems import Problem, invalid, of_rpc, refused
from gateway.schema import Binding
from gateway.settings import Settings

WATCH_AFTER_SECONDS = 0.02
"""A call this old is watched for its client's going away; most are over before."""
_TIMEOUT = re.compile(rb"\d{1,6}(\.\d{1,6})?")


class Endpoint:
    """One binding, ready to be called: assembler, gRPC callable, and how its answer is written."""

    def __init__(
        self, binding: Binding, channel: grpc.aio.Channel, registry: Registry, settings: Settings
    ) -> None:
        self.binding = binding
        self.rpc_path = binding.rpc
        self.raw_upload = binding.upload is not None
        self.raw_response = binding.raw_response
        self.settings = settings
        self.assembler = Assembler(binding, registry)
        self.upload_stream = binding.method.method_kind in ("client_streaming", "bidi_streaming")
        self.answer_stream = binding.method.method_kind in ("server_streaming", "bidi_streaming")
        factory = channel.stream_stream if self.upload_stream else channel.unary_stream
        single = channel.stream_unary if self.upload_stream else channel.unary_unary
        self.rpc: Any = (factory if self.answer_stream else single)(binding.rpc)
        self.route_class: RouteClass = "read" if binding.verb == "GET" or binding.safe else "write"
        self._registry = registry
        self._output = binding.method.output.type
        self._field = _result_field(binding)

    def deadline(self, exchange: Exchange) -> float | None:
        """Answers the seconds that the call may take: X-Request-Timeout, else 15 s, for a stream no end."""
        given = exchange.headers.get(b"x-request-timeout")
        if given is None:
            return None if self.answer_stream or self.upload_stream else self.settings.timeout_seconds
        seconds = float(given) if _TIMEOUT.fullmatch(given) else math.nan
        if not seconds > 0:
            raise invalid("INVALID_TIMEOUT", "X-Request-Timeout must be a number of seconds above 0.")
        return min(seconds, self.settings.max_timeout_seconds)

    def metadata(self, exchange: Exchange) -> Metadata:
        """Answers the metadata of the call. Raises Problem (431)."""
        client = client_address(exchange.headers, exchange.scope.get("client"), self.settings.trusted_proxies)
        return metadata(exchange.scope["headers"], exchange.id, client)

    async def request(self, exchange: Exchange, segments: list[str]) -> bytes:
        """Reads and builds the only request message. Raises Problem or Gone."""
        body = b""
        content_type = exchange.headers.get(b"content-type", b"")
        if self.binding.body:
            if not self.raw_upload:
                negotiation.check_json(content_type, exchange.headers.get(b"content-encoding", b""))
            body = await exchange.body(self.settings.max_body_bytes)
        elif (
            exchange.headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in exchange.headers
        ):
            raise invalid("BODY_NOT_TAKEN", "This method takes no body.")
        return self._message(exchange, segments, body, content_type)

    def requests(self, exchange: Exchange, segments: list[str], fault: Fault) -> AsyncIterator[bytes]:
        """Yields the request messages of a client stream; `fault` takes the Problem that ends it early."""
        return self._requests(exchange, segments, fault)

    async def _requests(self, exchange: Exchange, segments: list[str], fault: Fault) -> AsyncIterator[bytes]:
        content_type = exchange.headers.get(b"content-type", b"")
        first = True
        try:
            if not self.raw_upload:
                negotiation.check_json(content_type, exchange.headers.get(b"content-encoding", b""))
                parts = self._lines(exchange)
            else:
                parts = exchange.chunks(self.settings.max_upload_bytes)
            async for part in parts:
                if first:
                    yield self._message(exchange, segments, part, content_type)
                else:
                    yield self.assembler.chunk(part, content_type.decode("latin-1")).to_binary()
                first = False
            if first:
                yield self._message(exchange, segments, b"", content_type)
        except (Problem, Gone) as problem:
            fault.problem = problem
            raise
        fault.read_out.set()

    async def _lines(self, exchange: Exchange) -> AsyncIterator[bytes]:
        """Yields the documents of a newline-delimited body, each within the limit of a body."""
        rest = b""
        async for part in exchange.chunks(self.settings.max_upload_bytes):
            *lines, rest = (rest + part).split(b"\n")
            for line in filter(bytes.strip, lines):
                yield line
            if len(rest) > self.settings.max_body_bytes:
                raise refused(413, "BODY_TOO_LARGE", f"A line exceeds {self.settings.max_body_bytes} bytes.")
        if rest.strip():
            yield rest

    def _message(self, exchange: Exchange, segments: list[str], body: bytes, content_type: bytes) -> bytes:
        message = self.assembler.assemble(
            segments,
            exchange.scope["query_string"],
            body,
            content_type.decode("latin-1"),
            exchange.headers.get(b"idempotency-key", b""),
        )
        data: bytes = message.to_binary()
        if len(data) > self.settings.max_body_bytes:
            raise refused(413, "BODY_TOO_LARGE", f"The request exceeds {self.settings.max_body_bytes} bytes.")
        return data

    def parse(self, data: bytes) -> Message:
        """Parses a response message."""
        return self._output.from_binary(data)

    def json(self, data: bytes) -> bytes:
        """Answers a response message, or the field of it that the rule names, as ProtoJSON."""
        message = self._output.from_binary(data)
        if self._field is not None and isinstance(self._field.value, DescFieldValueMessage):
            message = message[self._field] or self._field.value.message.type()
        text = codec.encode(message, self._registry, emit_defaults=self.settings.emit_defaults)
        if self._field is None or isinstance(self._field.value, DescFieldValueMessage):
            return text.encode()
        value = json.loads(text).get(self._field.json_name)
        if value is None:
            empty = self._output().to_json(always_emit_implicit=True)
            value = json.loads(empty).get(self._field.json_name)
        return json.dumps(value, ensure_ascii=False).encode()

    def problem(self, error: grpc.aio.AioRpcError) -> Problem:
        """Translates the failure of a call, with the headers that the service set."""
        status = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
        data = status if isinstance(status, bytes) else None
        return of_rpc(error.code(), error.details() or "", data, self.binding.method.input, self._registry)


class Fault:
    """How the body of a client stream ended: read out, or by a Problem."""

    def __init__(self) -> None:
        self.problem: Problem | Gone | None = None
        self.read_out = asyncio.Event()


def _result_field(binding: Binding) -> Any:
    name = binding.response_body
    return next(
        (field for field in binding.method.output.fields if name in (field.name, field.json_name)), None
    )


@contextmanager
def cancelled_when_gone(
    call: Any, exchange: Exchange, body_read: asyncio.Event | None = None
) -> Iterator[None]:
    """Cancels the call when the client closes its connection; inside, that is raised as Gone.

    A client stream is watched once its body has been read (`body_read`): until then its reader sees the end.
    """
    watcher: list[asyncio.Task[None]] = []

    async def watch() -> None:
        if body_read is not None:
            await body_read.wait()
        await exchange.gone()
        call.cancel()

    timer = asyncio.get_running_loop().call_later(
        WATCH_AFTER_SECONDS, lambda: watcher.append(asyncio.ensure_future(watch()))
    )
    try:
        yield
    except asyncio.CancelledError:
        if watcher and watcher[0].done() and not watcher[0].cancelled():
            raise Gone from None
        call.cancel()
        raise
    finally:
        timer.cancel()
        for task in watcher:
            task.cancel()
